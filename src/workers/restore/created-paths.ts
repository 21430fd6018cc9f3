/** What a restore's worker has made, so that it can be taken away again: 60 bytes a path instead of a string object. */
import { chmodSync, rmdirSync, unlinkSync } from 'node:fs'
import { MAX_PATH_BYTES } from '../../model/entry.ts'
import { nativePath } from '../../sources/filesystem/stat.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'

export class CreatedPaths {
  /** latin1, relative to the root, in the order they were made; lengths go in front. */
  private readonly files = new ByteWriter(64 * 1024)
  private folders: string[] = []

  add(path: string, isDirectory: boolean): void {
    if (isDirectory) this.folders.push(path)
    else this.files.latin1(path)
  }

  /** Folders may have their final modes already, ones that let nobody delete in them. */
  removeFiles(root: string): void {
    for (const path of this.folders) attempt(() => chmodSync(absolute(root, path), 0o700))
    const input = new ByteReader(this.files.view())
    while (!input.atEnd) {
      const path = input.latin1(MAX_PATH_BYTES)
      attempt(() => unlinkSync(absolute(root, path)))
    }
    this.files.reset()
  }

  /**
   * Takes away the folders that are empty, and says how many those were. Another worker may have made what is in the
   * others: ask all of them again until none takes away any more. What others have put something into stays.
   */
  removeFolders(root: string): number {
    const before = this.folders.length
    const kept = this.folders.toReversed().filter((path) => !attempt(() => rmdirSync(absolute(root, path))))
    this.folders = kept.reverse()
    return before - kept.length
  }
}

function absolute(root: string, path: string): string | Buffer {
  return nativePath(`${root}/${path}`)
}

/** False where it is gone, somebody else's by now, or not empty. */
function attempt(act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}
