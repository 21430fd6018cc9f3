/** A seeded tree of small files and some large ones, and a change of it. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { seeded } from '../../test/servers/fault-deck.ts'

export interface TreeSize {
  readonly files: number
  /** Of the small ones at most; they are of any size up to it. */
  readonly smallBytes: number
  readonly large: number
  readonly largeBytes: number
}

/** Not to be compressed, so that there are as many bytes in the bucket as in the files. */
export function noise(bytes: number, random: () => number): Uint8Array {
  const words = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => random() * 2 ** 32)
  return new Uint8Array(words.buffer).subarray(0, bytes)
}

export function makeTree(root: string, size: TreeSize, seed: number): void {
  const random = seeded(seed)
  const write = (name: string, content: Uint8Array): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  for (let i = 0; i < size.files; i++) {
    write(`folder-${i % 7}/deep-${i % 3}/file-${i}`, noise(Math.floor(random() * size.smallBytes), random))
  }
  for (let i = 0; i < size.large; i++) write(`large-${i}`, noise(size.largeBytes, random))
  symlinkSync('folder-0/nowhere', join(root, 'dangling'))
}

/** A twentieth of the small files is new, another is gone, and half of a large file is another. */
export function changeTree(root: string, size: TreeSize, seed: number): void {
  const random = seeded(seed)
  for (let i = 0; i < size.files; i += 20) {
    writeFileSync(join(root, `new-${seed}-${i}`), noise(size.smallBytes, random))
    rmSync(join(root, `folder-${i % 7}/deep-${i % 3}/file-${i}`), { force: true })
  }
  writeFileSync(join(root, 'large-0'), noise(size.largeBytes, random))
}
