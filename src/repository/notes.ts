/** What may change about a snapshot: read, laid over it, and written as the next numbered object. */
import { BackupError } from '../errors.ts'
import { corrupt } from '../model/json-record.ts'
import { type Note, noteRecord } from '../model/note.ts'
import type { SnapshotRecord } from '../model/snapshot.ts'
import type { CallSignal } from '../targets/target.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { noteKey, PREFIX, parseKey } from './keys-layout.ts'
import type { Records } from './records.ts'
import { type DamagedObject, RecordListing } from './records-listing.ts'
import type { SnapshotInfo } from './snapshots.ts'

/** A snapshot with its notes laid over it. */
export interface SnapshotView extends SnapshotInfo {
  readonly name?: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly holds: Note['holds']
  readonly lastVerified?: NonNullable<Note['lastVerified']>
}

export interface NoteListing {
  /** The newest readable note of each snapshot that has any. */
  readonly notes: ReadonlyMap<string, Note>
  readonly damaged: readonly DamagedObject[]
}

export type NoteChange = (previous: Note) => Note

export interface WriteNoteOptions extends CallSignal {
  now: Date
  actor?: string
}

/** Two who annotate one snapshot at once both succeed; so many at once are a loop somewhere. */
const MAX_ATTEMPTS = 20

export class Notes {
  readonly #records: Records
  readonly #near: ObjectCache
  readonly #listing: RecordListing<Note>

  /** Without `near` every object is read from the target. */
  constructor(records: Records, near: ObjectCache = NO_CACHE) {
    this.#records = records
    this.#near = near
    this.#listing = listingOf(records, PREFIX.notes, near)
  }

  /** The newest note of every snapshot. One that cannot be read is in `damaged`, and the one before it counts. */
  async list(options: CallSignal = {}): Promise<NoteListing> {
    return newestNotes(this.#listing, options)
  }

  /** The newest readable note of one snapshot, read anew; `damaged`: newer ones that cannot be read. */
  async of(snapshot: string, options: CallSignal = {}): Promise<{ note?: Note; damaged: readonly DamagedObject[] }> {
    const listing = listingOf(this.#records, `${PREFIX.notes}${snapshot}/`, this.#near)
    const { notes, damaged } = await newestNotes(listing, options)
    const note = notes.get(snapshot)
    return { ...(note && { note }), damaged }
  }

  /**
   * Writes the note after the newest one, made by `change` from that one (an empty one if there is none). `change` runs
   * again when somebody else was faster.
   */
  async write(snapshot: string, change: NoteChange, options: WriteNoteOptions): Promise<Note> {
    const { now, actor, signal } = options
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { note: previous, n } = await this.#newest(snapshot, { signal })
      const { actor: _, ...changed } = change(previous ?? emptyNote(snapshot, now))
      const note: Note = { ...changed, snapshot, at: now, ...(actor !== undefined && { actor }) }
      const key = noteKey(snapshot, n + 1)
      const sealed = this.#records.seal('snapshots', key, noteRecord.encode(note))
      if ((await this.#records.create(key, sealed, { signal })) === 'exists') continue
      await this.#near.put({ key, bytes: sealed.byteLength }, sealed)
      return note
    }
    throw new BackupError('RUN_EXISTS', `others keep changing the notes of snapshot ${snapshot}`, {
      origin: 'repository',
      retryable: true,
      details: { snapshot },
    })
  }

  /** The newest readable note, and the highest number in use (0: none). */
  async #newest(snapshot: string, options: CallSignal): Promise<{ note: Note | undefined; n: number }> {
    const listing = listingOf(this.#records, `${PREFIX.notes}${snapshot}/`, this.#near)
    const { notes, highest } = await newestNotes(listing, options)
    return { note: notes.get(snapshot), n: highest.get(snapshot) ?? 0 }
  }
}

function listingOf(records: Records, prefix: string, near: ObjectCache): RecordListing<Note> {
  return new RecordListing(records, prefix, (key, stored) => decode(records, key, stored), near)
}

/** Reads the highest of each snapshot; where that is damaged, the one below it, and so on. */
async function newestNotes(
  listing: RecordListing<Note>,
  options: CallSignal,
): Promise<NoteListing & { highest: ReadonlyMap<string, number> }> {
  const bad = new Map<string, DamagedObject>()
  const notes = new Map<string, Note>()
  for (;;) {
    let highest = new Map<string, number>()
    const select = (keys: readonly string[]): string[] => {
      highest = highestNumbers(keys, new Map())
      return [...highestNumbers(keys, bad)].map(([id, n]) => noteKey(id, n))
    }
    const { items, damaged } = await listing.list({ ...options, select })
    for (const each of damaged) bad.set(each.key, each)
    for (const note of items.values()) notes.set(note.snapshot, note)
    if (damaged.length === 0) return { notes, damaged: [...bad.values()], highest }
  }
}

/** The snapshot as people see it now. */
export function withNote(info: SnapshotInfo, note: Note | undefined): SnapshotView {
  const { record } = info
  const name = note?.name ?? record.name
  const description = note?.description ?? record.description
  return {
    ...info,
    ...(name !== undefined && name !== '' && { name }),
    ...(description !== undefined && description !== '' && { description }),
    tags: tagsOf(record, note),
    holds: note?.holds ?? [],
    ...(note?.lastVerified !== undefined && { lastVerified: note.lastVerified }),
  }
}

function tagsOf(record: SnapshotRecord, note: Note | undefined): string[] {
  const tags = new Set(record.tags)
  for (const tag of note?.removeTags ?? []) tags.delete(tag)
  for (const tag of note?.addTags ?? []) tags.add(tag)
  return [...tags]
}

function emptyNote(snapshot: string, at: Date): Note {
  return { snapshot, at, addTags: [], removeTags: [], holds: [] }
}

function decode(records: Records, key: string, stored: Uint8Array): Note {
  const note = noteRecord.decode(records.open('snapshots', key, stored, noteRecord.maxBytes), key)
  const parsed = parseKey(key)
  if (parsed?.area !== 'notes' || parsed.id !== note.snapshot) throw corrupt(key, `it is about ${note.snapshot}`)
  return note
}

/** For each snapshot the highest number among the keys, but for those to be skipped. */
function highestNumbers(keys: readonly string[], skip: ReadonlyMap<string, unknown>): Map<string, number> {
  const highest = new Map<string, number>()
  for (const key of keys) {
    const parsed = parseKey(key)
    if (parsed?.area !== 'notes' || skip.has(key)) continue
    highest.set(parsed.id, Math.max(parsed.n, highest.get(parsed.id) ?? 0))
  }
  return highest
}
