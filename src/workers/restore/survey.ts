/** Worker service 'restore-survey': what a restore of one source would create, and what it would have to fetch. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, TYPE_SYMLINK } from '../../model/entry.ts'
import { type ChunkRef, readStreams } from '../../model/streams.ts'
import { ByteReader } from '../../util/bytes.ts'
import { isSafePath, latin1ToUser } from '../../util/paths.ts'
import { EntrySelector } from '../browse/entry-selector.ts'
import { metaAt } from '../browse/listed-entry.ts'
import { EntryCursor, guard } from '../browse/page-cursor.ts'
import { ChunkIndex } from '../chunks/chunk-index.ts'
import { ChunkReader, missingChunk } from '../chunks/chunk-reader.ts'
import { createVault } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'
import type { RestorePlanInit } from './plan.ts'

export interface Survey {
  entries: number
  bytes: number
  /** The first of them, for the plan to show; parents that come along are not listed. */
  listed: { path: string; type: number; bytes: number }[]
  packs: string[]
  /** Stored bytes of the segments that are needed. */
  downloadBytes: number
}

export async function createRestoreSurvey(init: RestorePlanInit, host: Host): Promise<Service> {
  const vault = await createVault(init.vault)
  const reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
  return {
    call: (_method, args) => new Surveyor(reader, init, host, args as number).run(),
  }
}

class Surveyor {
  private readonly reader: ChunkReader
  private readonly init: RestorePlanInit
  private readonly host: Host
  private readonly listLimit: number
  private readonly packs = new Set<string>()
  private readonly segments = new Set<number>()
  private readonly survey: Survey = { entries: 0, bytes: 0, listed: [], packs: [], downloadBytes: 0 }

  /** The last link, with a '/' behind it. */
  private link = ''

  constructor(reader: ChunkReader, init: RestorePlanInit, host: Host, listLimit: number) {
    this.reader = reader
    this.init = init
    this.host = host
    this.listLimit = listLimit
  }

  async run(): Promise<Survey> {
    const { root, source, select } = this.init
    if (!root) return this.survey
    const cursor = new EntryCursor(this.reader, root)
    const selector = new EntrySelector(source, select)
    while (await cursor.next()) {
      this.host.throwIfAborted()
      const meta = metaAt(cursor)
      if (!selector.selects(meta)) continue
      this.survey.entries += 1 + selector.takeParents(meta).length
      await this.add(meta, cursor)
    }
    this.survey.packs = [...this.packs]
    return this.survey
  }

  private async add(meta: EntryMeta, cursor: EntryCursor): Promise<void> {
    const { survey } = this
    const path = latin1ToUser(meta.path)
    if (!isSafePath(meta.path)) throw unsafe(path, 'which leads out of the destination')
    // In path order, what claims to lie below a link comes right after it.
    if (this.link !== '' && meta.path.startsWith(this.link)) throw unsafe(path, 'below what is a symbolic link')
    if (meta.type === TYPE_SYMLINK) this.link = `${meta.path}/`
    const bytes = meta.sizeBytes ?? 0
    survey.bytes += bytes
    if (survey.listed.length < this.listLimit) survey.listed.push({ path, type: meta.type, bytes })
    const streams = guard('page', () => readStreams(new ByteReader(cursor.page, cursor.streamsStart, cursor.recordEnd)))
    for (const { refs, level } of streams) {
      if (level === 0) for (const ref of refs) this.need(ref)
      else for await (const ref of this.reader.contentRefs(refs, level)) this.need(ref)
    }
  }

  private need(ref: ChunkRef): void {
    if (!ref.id) return
    const location = this.reader.index.find(ref.id)
    if (!location) throw missingChunk(ref.id)
    if (this.segments.has(location.segmentKey)) return
    this.segments.add(location.segmentKey)
    this.packs.add(location.pack)
    this.survey.downloadBytes += location.storedBytes
  }
}

function unsafe(path: string, why: string): BackupError {
  return new BackupError('RESTORE_UNSAFE_PATH', `The snapshot has an entry at ${JSON.stringify(path)}, ${why}.`, {
    origin: 'sink',
    details: { path },
    hint: 'This snapshot was not made by an honest writer. Leave the entry out with select.exclude, and find out who can write to the repository.',
  })
}
