/** One local file into chunks. A file that changes while it is read is read again, and reported if it never holds still. */
import { closeSync } from 'node:fs'
import { BackupError, type ErrorCode } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { EntryMeta } from '../../model/entry.ts'
import type { StreamRefs } from '../../model/streams.ts'
import { type DataRange, dataRanges } from '../../sources/filesystem/data-ranges.ts'
import {
  fingerprintFromStat,
  metaFromStat,
  missingBytes,
  openFile,
  readInto,
  statChanged,
  statOpen,
} from '../../sources/filesystem/read-file.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ChunkStore } from '../chunks/chunk-store.ts'
import type { Host } from '../threads/rpc.ts'
import type { ContentWriter } from './content-writer.ts'

export interface FileContext {
  readonly host: Host
  /** Where the reader waits for what it gave away. */
  readonly store: Pick<ChunkStore, 'drain'>
  readonly writer: ContentWriter
  readonly onUnreadable: 'fail' | 'skip'
  readonly follow: boolean
}

export interface FileOutcome {
  meta: EntryMeta
  /** Absent: the entry is left out. */
  stream?: StreamRefs
  fingerprint: [bigint, bigint]
  warnings: Warning[]
  readBytes: number
}

const ATTEMPTS = 3
const NEVER_EQUAL: [bigint, bigint] = [0n, 0n]

export async function readFileInto(context: FileContext, path: string, scanned: EntryMeta): Promise<FileOutcome> {
  const outcome: FileOutcome = { meta: scanned, fingerprint: NEVER_EQUAL, warnings: [], readBytes: 0 }
  try {
    for (let attempt = 1; ; attempt++) {
      const held = await readOnce(context, path, outcome)
      if (held) return outcome
      if (attempt === ATTEMPTS) break
    }
  } catch (error) {
    context.writer.reset()
    return unreadable(context, outcome, error)
  }
  outcome.fingerprint = NEVER_EQUAL
  outcome.warnings.push(
    warning(
      'ENTRY_CHANGED_WHILE_READ',
      scanned,
      `changed during each of ${ATTEMPTS} reads; what is kept may be a mixture`,
    ),
  )
  return outcome
}

/** True if the file held still. */
async function readOnce(context: FileContext, path: string, outcome: FileOutcome): Promise<boolean> {
  const { writer } = context
  const { fd, stat } = openFile(path, context.follow)
  try {
    const read = await readAll(context, fd, Number(stat.size), missingBytes(stat))
    outcome.readBytes += read
    outcome.stream = writer.finish()
    const after = statOpen(fd)
    outcome.meta = metaFromStat(outcome.meta.path, after)
    outcome.meta.sizeBytes = read
    outcome.fingerprint = fingerprintFromStat(after, Date.now())
    return read === Number(stat.size) && !statChanged(stat, after)
  } finally {
    closeSync(fd)
  }
}

/** Asking where holes are costs some milliseconds: as much as reading these. */
const MIN_ASKED_BYTES = 16 * 1024 * 1024

/** Reads as much as the file had when it was opened; more or less shows in the second stat. */
async function readAll(context: FileContext, fd: number, sizeBytes: number, missing: number): Promise<number> {
  const { writer } = context
  writer.holes = missing > 0
  const ranges = missing >= MIN_ASKED_BYTES ? dataRanges(fd, sizeBytes) : undefined
  if (ranges === undefined) return await readRange(context, fd, { start: 0, end: sizeBytes }, sizeBytes)
  let done = 0
  for (const range of ranges) {
    writer.skip(range.start - done)
    done = await readRange(context, fd, range, sizeBytes)
    if (done < range.end) return done
  }
  writer.skip(sizeBytes - done)
  return sizeBytes
}

/** Gives where it ended. */
async function readRange(context: FileContext, fd: number, { start, end }: DataRange, size: number): Promise<number> {
  const { writer } = context
  let done = start
  while (done < end) {
    const count = readInto(fd, writer.window, writer.filled, Math.min(writer.free, end - done), done)
    if (count === 0) break
    done += count
    writer.advance(count)
    if (done < size) await pause(context, count)
  }
  return done
}

/** A big file lets other messages in after each window, so that scanning goes on and an abort is heard. */
async function pause({ host, store }: FileContext, count: number): Promise<void> {
  void host.call('progress', { bytes: count }).catch(() => undefined)
  await store.drain()
  await host.yield()
  host.throwIfAborted()
}

/** No fault of the source's: it lives. */
const GONE: Partial<Record<ErrorCode, string>> = {
  SOURCE_NOT_FOUND: 'vanished before it could be read; left out',
  SOURCE_CHANGED: 'was replaced by something that is no file before it could be read; left out',
}

function unreadable(context: FileContext, outcome: FileOutcome, error: unknown): FileOutcome {
  const { stream: _, ...rest } = outcome
  if (!BackupError.is(error) || error.origin !== 'source') throw error
  const gone = GONE[error.code]
  if (gone !== undefined) {
    rest.warnings.push(warning('ENTRY_CHANGED_WHILE_READ', rest.meta, gone))
    return rest
  }
  if (context.onUnreadable === 'fail') throw error
  rest.warnings.push(warning('ENTRY_SKIPPED', rest.meta, error.message))
  return rest
}

function warning(code: Warning['code'], meta: EntryMeta, message: string): Warning {
  const path = latin1ToUser(meta.path)
  return { code, message: `${path}: ${message}`, path }
}
