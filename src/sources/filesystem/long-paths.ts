/**
 * Linux takes no path of 4,096 bytes or more, though a tree may be as deep as it likes. The way on is by a folder on the way
 * that is held open: Node has no openat, but a path may begin with `/proc/self/fd/<number>`.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { isAscii } from '../../util/paths.ts'

/** Longer paths are shortened. Leaves room for the way to the folder that is held. */
const MAX_BYTES = 4000
/** A folder is held about every so many bytes of a path, so what is left of it is never much longer. */
const STEP_BYTES = 3500
const MAX_HELD = 16
/** A folder that is held keeps its disk from being unmounted. */
const HELD_MS = 5000

interface Held {
  fd: number
  usedAt: number
}

/** By latin1 path; the one used last is the last. Of this thread. */
const held = new Map<string, Held>()
let isTimed = false

export function isLong(latin1: string): boolean {
  return latin1.length >= MAX_BYTES && process.platform === 'linux'
}

/** A path to the same place that the system takes, for a moment. Throws what opening a folder on the way does. */
export function shortened(latin1: string, process = '/proc/self'): string {
  if (!isLong(latin1)) return latin1
  const cut = latin1.lastIndexOf('/', Math.floor((latin1.length - 1) / STEP_BYTES) * STEP_BYTES)
  return cut <= 0 ? latin1 : `${process}/fd/${hold(latin1.slice(0, cut))}${latin1.slice(cut)}`
}

/** For another program: it has its own `/proc/self`. */
export function programPath(latin1: string): string {
  return shortened(latin1, `/proc/${process.pid}`)
}

function hold(folder: string): number {
  const known = held.get(folder)
  held.delete(folder)
  const fd = known?.fd ?? openFolder(shortened(folder))
  held.set(folder, { fd, usedAt: performance.now() })
  if (held.size > MAX_HELD) release(held.keys().next().value!)
  if (!isTimed) setTimeout(releaseUnused, HELD_MS).unref()
  isTimed = true
  return fd
}

function openFolder(path: string): number {
  return openSync(isAscii(path) ? path : Buffer.from(path, 'latin1'), constants.O_RDONLY | constants.O_DIRECTORY)
}

function release(folder: string): void {
  const found = held.get(folder)
  held.delete(folder)
  if (found) closeSync(found.fd)
}

function releaseUnused(): void {
  const before = performance.now() - HELD_MS
  for (const [folder, { usedAt }] of held) if (usedAt <= before) release(folder)
  isTimed = held.size > 0
  if (isTimed) setTimeout(releaseUnused, HELD_MS).unref()
}
