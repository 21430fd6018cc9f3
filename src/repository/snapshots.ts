/** The snapshots of a repository. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError } from '../errors.ts'
import { corrupt } from '../model/json-record.ts'
import { MAX_SNAPSHOT_BYTES, type SnapshotRecord } from '../model/snapshot.ts'
import { decodeSnapshotObject, type Tombstone } from '../model/tombstone.ts'
import type { CallSignal } from '../targets/target.ts'
import type { ObjectCache } from './cache/object-cache.ts'
import { PREFIX, parseKey, snapshotKey } from './keys-layout.ts'
import type { Records } from './records.ts'
import { type DamagedObject, type ListedKeys, type ListedRecords, RecordListing } from './records-listing.ts'

/** A snapshot as it was committed. Shared by all who list: not to be changed. */
export interface SnapshotInfo {
  readonly id: string
  readonly record: SnapshotRecord
  /** SHA-256 of the stored object in hex. A child names it as `previous`. */
  readonly checksum: string
}

export interface SnapshotListing {
  /** Newest first. */
  readonly snapshots: readonly SnapshotInfo[]
  /** Runs that may commit no more, and snapshots that are forgotten. */
  readonly tombstones: ReadonlyMap<string, Tombstone>
  readonly damaged: readonly DamagedObject[]
}

type Stored = { info: SnapshotInfo } | { tombstone: Tombstone }

export class Snapshots {
  readonly #records: Records
  readonly #listing: RecordListing<Stored>

  /** Without `near` every object is read from the target. */
  constructor(records: Records, near?: ObjectCache) {
    this.#records = records
    this.#listing = new RecordListing(records, PREFIX.snapshots, (key, stored) => decode(records, key, stored), near)
  }

  /** All of them. Objects that cannot be read are in `damaged`; only a failure of the target rejects. */
  async list(options: CallSignal = {}): Promise<SnapshotListing> {
    return await (await this.look(options)).all(options)
  }

  /** Lists them, and reads what is asked for. */
  async look(options: CallSignal = {}): Promise<FoundSnapshots> {
    return new FoundSnapshots(await this.#listing.look(options))
  }

  /** One, read anew. SNAPSHOT_NOT_FOUND where there is none or a tombstone. */
  async get(id: string, options: CallSignal = {}): Promise<SnapshotInfo> {
    const key = snapshotKey(id)
    const stored = isSnapshotKey(key) ? await this.#records.find(key, options) : undefined
    const object = stored && decode(this.#records, key, stored)
    if (object !== undefined && 'info' in object) return object.info
    throw new BackupError('SNAPSHOT_NOT_FOUND', `there is no snapshot ${id}`, { origin: 'usage', details: { id } })
  }
}

/** Read together once the newest ones did not do. */
const READ_AT_ONCE = 32

/** What was listed at one moment. A snapshot that has been deleted by the time it is read is left out. */
export class FoundSnapshots {
  readonly #listed: ListedKeys<Stored>
  readonly #keys: readonly string[]

  constructor(listed: ListedKeys<Stored>) {
    this.#listed = listed
    this.#keys = listed.keys.filter(isSnapshotKey).sort().reverse()
  }

  /** Of everything that lies there, newest first. */
  get ids(): string[] {
    return this.#keys.flatMap((key) => {
      const parsed = parseKey(key)
      return parsed?.area === 'snapshots' ? [parsed.id] : []
    })
  }

  /** Objects of that id: a snapshot, a tombstone, or what nobody can read. */
  has(id: string): boolean {
    return this.#keys.includes(snapshotKey(id))
  }

  async all({ signal }: CallSignal = {}): Promise<SnapshotListing> {
    return listingOf(await this.#listed.read(this.#keys, signal))
  }

  /** One, with what its object is. */
  async one(id: string, { signal }: CallSignal = {}): Promise<SnapshotListing> {
    return listingOf(await this.#listed.read(this.has(id) ? [snapshotKey(id)] : [], signal))
  }

  /**
   * Newest first by their ids, which begin with the time; those that cannot be read are passed over. Whoever stops early
   * has read little: the first alone, then ever more at once.
   */
  async *newestFirst({ signal }: CallSignal = {}): AsyncGenerator<SnapshotInfo, void, undefined> {
    for (let at = 0, count = 1; at < this.#keys.length; at += count, count = Math.min(READ_AT_ONCE, count * 4)) {
      const keys = this.#keys.slice(at, at + count)
      const { items } = await this.#listed.read(keys, signal)
      for (const key of keys) {
        const item = items.get(key)
        if (item !== undefined && 'info' in item) yield item.info
      }
    }
  }
}

function listingOf({ items, damaged }: ListedRecords<Stored>): SnapshotListing {
  const snapshots: SnapshotInfo[] = []
  const tombstones = new Map<string, Tombstone>()
  for (const item of items.values()) {
    if ('info' in item) snapshots.push(item.info)
    else tombstones.set(item.tombstone.id, item.tombstone)
  }
  return { snapshots: snapshots.sort(newestFirst), tombstones, damaged }
}

function isSnapshotKey(key: string): boolean {
  return parseKey(key)?.area === 'snapshots'
}

function decode(records: Records, key: string, stored: Uint8Array): Stored {
  const object = decodeSnapshotObject(records.open('snapshots', key, stored, MAX_SNAPSHOT_BYTES), key)
  const id = 'snapshot' in object ? object.snapshot.id : object.tombstone.id
  if (snapshotKey(id) !== key) throw corrupt(key, `it says that it is ${id}`)
  if ('tombstone' in object) return object
  return { info: Object.freeze({ id, record: object.snapshot, checksum: sha256Hex(stored) }) }
}

function newestFirst(a: SnapshotInfo, b: SnapshotInfo): number {
  const byTime = b.record.createdAt.getTime() - a.record.createdAt.getTime()
  if (byTime !== 0) return byTime
  return a.id < b.id ? 1 : -1
}
