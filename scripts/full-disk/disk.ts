/** Small file systems in memory that can be filled to the last byte. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../src/targets/local/errno.ts'

const BLOCK = new Uint8Array(4096).fill(1)
const BALLAST = 'ballast'

export interface SmallDisk {
  readonly path: string
  /** Writes until so many bytes are left for others. */
  fill(leftBytes?: number): void
  /** Takes away what `fill` has written. */
  clear(): void
  freeBytes(): number
  remove(): void
}

/** @throws Error where mounting is not ours to do */
export function smallDisk(path: string, bytes: number): SmallDisk {
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'pipe' })
  const ballast = join(path, BALLAST)
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  }
  return {
    path,
    freeBytes,
    fill: (leftBytes = 0) => write(ballast, Math.floor((freeBytes() - leftBytes) / BLOCK.byteLength)),
    clear: () => rmSync(ballast, { force: true }),
    remove() {
      execFileSync('umount', ['--lazy', path], { stdio: 'pipe' })
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function write(ballast: string, blocks: number): void {
  const file = openSync(ballast, 'a')
  try {
    for (let n = 0; n < blocks; n++) writeSync(file, BLOCK)
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
