/** A scan on the main thread, for those who use a source without the engine. The engine itself scans in a worker. */
import { setImmediate } from 'node:timers/promises'
import type { Warning } from '../../events.ts'
import { type EntryMeta, FINGERPRINT_BYTES, readMeta, TYPE_FILE, typeName } from '../../model/entry.ts'
import { type EntryBatch, FLAG_FORCE_READ } from '../../model/entry-batch.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { ByteReader } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ScanPlan, SourceEntry } from '../source.ts'
import { TreeScanner } from './scan.ts'
import { dressBatch } from './xattr-records.ts'

/** About half a millisecond between two turns of the event loop. */
const ENTRIES_PER_TURN = 100
/** Where a program is asked about each. */
const ENTRIES_PER_QUESTION = 1000

export interface ScanEntriesOptions {
  signal: AbortSignal
  warn(warning: Warning): void
}

export async function* scanEntries(
  plan: ScanPlan,
  { signal, warn }: ScanEntriesOptions,
): AsyncGenerator<SourceEntry[]> {
  throwIfAborted(signal)
  const scanner = new TreeScanner(plan, {
    warn,
    onUnreadable: 'skip',
    aborted: () => signal.aborted,
    nowMs: Date.now,
  })
  for (;;) {
    const { batch: scanned, done } = scanner.next(plan.xattrs ? ENTRIES_PER_QUESTION : ENTRIES_PER_TURN)
    const { batch, warnings } = plan.xattrs ? await dressBatch(scanned) : { batch: scanned, warnings: [] }
    for (const warning of warnings) warn(warning)
    if (batch.count > 0) yield [...entriesOf(batch)]
    if (done) return
    await setImmediate()
    throwIfAborted(signal)
  }
}

export function* entriesOf(batch: EntryBatch): Generator<SourceEntry> {
  const input = new ByteReader(batch.metas)
  const fingerprints = Buffer.from(batch.fingerprints.buffer)
  for (let i = 0; i < batch.count; i++) {
    input.u32()
    const meta = readMeta(input)
    const entry = entryOf(meta)
    const ctime = fingerprints.readBigInt64LE(i * FINGERPRINT_BYTES)
    const ino = fingerprints.readBigUInt64LE(i * FINGERPRINT_BYTES + 8)
    const known = (ctime !== 0n || ino !== 0n) && !(batch.flags[i]! & FLAG_FORCE_READ)
    if (known) entry.fingerprint = `${ctime}:${ino}:${meta.mtimeNs}:${meta.sizeBytes ?? 0}`
    if (meta.type === TYPE_FILE) {
      entry.content = { from: 'file', path: latin1ToUser(`${batch.root}/${meta.path.slice(batch.prefixBytes)}`) }
    }
    yield entry
  }
}

function entryOf(meta: EntryMeta): SourceEntry {
  const entry: SourceEntry = { path: latin1ToUser(meta.path), type: typeName(meta) }
  if (meta.sizeBytes !== undefined) entry.size = meta.sizeBytes
  if (meta.mode !== undefined) entry.mode = meta.mode
  if (meta.uid !== undefined) entry.uid = meta.uid
  if (meta.gid !== undefined) entry.gid = meta.gid
  if (meta.mtimeNs !== undefined) entry.mtimeNs = meta.mtimeNs
  if (meta.linkTarget !== undefined) entry.linkTarget = latin1ToUser(meta.linkTarget)
  if (meta.linkGroup !== undefined) entry.linkGroup = meta.linkGroup
  if (meta.attributes !== undefined) entry.facts = meta.attributes
  return entry
}
