/** archiver with another container than its own. */
import type { Readable } from 'node:stream'
import type { Archiver } from 'archiver'
import { BLOCK_BYTES } from './archive-out.ts'
import type { ZipContainer, ZipEntryData } from './zip-container.ts'

export interface Archive extends Archiver {
  append(source: Readable | Buffer, data: ZipEntryData): this
}

/**
 * Made as archiver makes its `ZipArchive` and `TarArchive`: a class that extends the exported `Archiver` and gives it what
 * lies behind its queue. Version 8 has no other way (`registerFormat` is gone), and its types do not know it.
 */
export async function createArchive(container: ZipContainer): Promise<Archive> {
  const { Archiver } = await import('archiver')
  class SnapshotArchive extends Archiver {
    declare _format: string
    declare _module: ZipContainer
    declare _supportsDirectory: boolean
    declare _modulePipe: () => void

    constructor() {
      super({ highWaterMark: BLOCK_BYTES })
      this._format = 'zip'
      this._module = container
      this._supportsDirectory = true
      this._modulePipe()
    }
  }
  const archive = new SnapshotArchive() as Archive
  // Whoever reads it hears of the first error. What else ends after that would otherwise end the process.
  archive.on('error', () => undefined)
  return archive
}
