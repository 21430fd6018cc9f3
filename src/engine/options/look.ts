/** Options of the verbs that only look: snapshots, entries, read, diff, history. */
import { z } from 'zod'
import type { HistoryFilter } from '../run/history.ts'
import type { DiffOptions, EntriesOptions, ReadOptions } from '../types/browse.ts'
import type { SnapshotFilter, SnapshotRef } from '../types/snapshot.ts'
import { invalidOption, parseOptions } from './index.ts'
import {
  callShape,
  date,
  filterSchema,
  flag,
  list,
  oneOf,
  opt,
  refSchema,
  selectionSchema,
  signal,
  text,
  wholeBytes,
} from './parts.ts'

const entryPath = text(65_536)

const entriesSchema: z.ZodType<EntriesOptions> = z.strictObject({
  snapshot: refSchema,
  path: opt(entryPath),
  recursive: opt(flag),
  search: opt(text(1024)),
  signal,
})

const readSchema: z.ZodType<ReadOptions> = z.strictObject({
  snapshot: refSchema,
  path: entryPath,
  range: opt(
    z
      .strictObject({ start: wholeBytes, end: opt(wholeBytes) })
      .refine(
        ({ start, end }) => end === undefined || end >= start,
        'must be a range whose end is not before its start',
      ),
  ),
  signal,
})

const diffSchema: z.ZodType<DiffOptions> = z.strictObject({
  ...callShape,
  base: refSchema,
  head: refSchema,
  select: opt(selectionSchema),
  checksum: opt(flag),
})

const historySchema: z.ZodType<HistoryFilter> = z.strictObject({
  verbs: opt(
    list(
      oneOf(
        'backup',
        'verify',
        'restore',
        'drill',
        'copy',
        'forget',
        'prune',
        'repair',
        'export',
        'import',
        'undo',
        'erase',
        'keys',
      ),
      12,
    ),
  ),
  status: opt(list(oneOf('ok', 'failed', 'aborted'), 3)),
  actor: opt(text(256)),
  after: opt(date),
  before: opt(date),
  search: opt(text(256)),
  signal,
})

const graceMs = z
  .number('must be a number of milliseconds, 0 or more')
  .refine((ms) => ms >= 0 && Number.isFinite(ms), 'must be a number of milliseconds, 0 or more')
const closeSchema = z.strictObject({ graceMs: opt(graceMs) }, 'must be an object')

export function parseCloseOptions(options: { graceMs?: number } = {}): { graceMs: number } {
  return { graceMs: 0, ...parseOptions(closeSchema, options, 'close') }
}

export function parseSnapshotFilter(filter: SnapshotFilter = {}): SnapshotFilter {
  return parseOptions(filterSchema, filter, 'snapshots')
}

export function parseSnapshotRef(ref: SnapshotRef): SnapshotRef {
  return parseOptions(z.strictObject({ snapshot: refSchema }), { snapshot: ref }, 'snapshot').snapshot
}

export function parseEntriesOptions(options: EntriesOptions): EntriesOptions {
  return parseOptions(entriesSchema, options, 'entries')
}

export function parseReadOptions(options: ReadOptions): ReadOptions {
  return parseOptions(readSchema, options, 'read')
}

export function parseDiffOptions(options: DiffOptions): DiffOptions {
  const parsed = parseOptions(diffSchema, options, 'diff')
  if (parsed.checksum && parsed.head !== 'live') {
    throw invalidOption(
      'checksum',
      "left out unless head is 'live': snapshots are compared by content anyway",
      true,
      'diff',
    )
  }
  return parsed
}

export function parseHistoryFilter(filter: HistoryFilter = {}): HistoryFilter {
  return parseOptions(historySchema, filter, 'history')
}
