/** Copying, counting and comparing file trees by plain means, so that the demo does not ask Holdfast about Holdfast. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { cp, lstat } from 'node:fs/promises'
import { join } from 'node:path'

const PIECE = 1 << 20
/** Node sets times as a double of seconds, whose steps are 238 ns these days. */
const TIME_STEP_NS = 1000n

/** Everything but sockets and devices, with modes and times. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const copied = async (path: string): Promise<boolean> => {
    signal.throwIfAborted()
    const stat = await lstat(path)
    return stat.isFile() || stat.isDirectory() || stat.isSymbolicLink()
  }
  await cp(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: copied })
}

export interface Tree {
  /** Paths relative to the root, sorted. */
  paths: string[]
  /** Regular files among them. */
  files: string[]
  bytes: number
}

export function walk(root: string): Tree {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()
  const tree: Tree = { paths, files: [], bytes: 0 }
  for (const path of paths) {
    const stat = lstatSync(join(root, path))
    if (!stat.isFile()) continue
    tree.files.push(path)
    tree.bytes += stat.size
  }
  return tree
}

/** What is not the same in names, types, modes, times, link targets and every byte. */
export function differences(one: string, other: string): string[] {
  const [left, right] = [walk(one), walk(other)]
  const names = new Set(right.paths)
  const missing = left.paths.filter((path) => !names.delete(path)).map((path) => `missing: ${path}`)
  const extra = [...names].map((path) => `too much: ${path}`)
  if (missing.length + extra.length > 0) return [...missing, ...extra]
  return left.paths.filter((path) => !same(join(one, path), join(other, path))).map((path) => `different: ${path}`)
}

function same(one: string, other: string): boolean {
  const a = lstatSync(one, { bigint: true })
  const b = lstatSync(other, { bigint: true })
  if (a.mode !== b.mode) return false
  if (a.isSymbolicLink()) return readlinkSync(one) === readlinkSync(other)
  const lateNs = a.mtimeNs - b.mtimeNs
  if (lateNs >= TIME_STEP_NS || -lateNs >= TIME_STEP_NS) return false
  return !a.isFile() || (a.size === b.size && sameBytes(one, other))
}

function sameBytes(one: string, other: string): boolean {
  const [a, b] = [openSync(one, 'r'), openSync(other, 'r')]
  try {
    const [left, right] = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)]
    for (;;) {
      const length = readSync(a, left)
      if (length !== readSync(b, right) || left.compare(right, 0, length, 0, length) !== 0) return false
      if (length === 0) return true
    }
  } finally {
    closeSync(a)
    closeSync(b)
  }
}
