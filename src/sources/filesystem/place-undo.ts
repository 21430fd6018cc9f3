/** Takes back what a run has put into a folder. */
import { chmodSync, rmdirSync, unlinkSync } from 'node:fs'
import { isGone, nativePath, systemCode } from './stat.ts'

export interface Created {
  /** latin1, relative to the root; '' is the root itself. */
  readonly path: string
  readonly isDirectory: boolean
}

/** Last made, first removed. A folder into which somebody else has put something stays. `root` is latin1. */
export function removeCreated(root: string, created: readonly Created[]): void {
  for (const { path, isDirectory } of created) if (isDirectory) open(nativePath(`${root}/${path}`))
  for (const { path, isDirectory } of created.toReversed()) remove(nativePath(`${root}/${path}`), isDirectory)
}

/** A folder may have its final mode already, one that lets nobody delete in it. */
function open(folder: string | Buffer): void {
  try {
    chmodSync(folder, 0o700)
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

function remove(path: string | Buffer, isDirectory: boolean): void {
  try {
    if (isDirectory) rmdirSync(path)
    else unlinkSync(path)
  } catch (error) {
    const code = systemCode(error)
    const isKept = isDirectory && (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EBUSY')
    if (!isGone(error) && !isKept) throw error
  }
}
