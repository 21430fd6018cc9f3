import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Warning } from '../../../src/events.ts'
import { type EntryMeta, FINGERPRINT_BYTES, readMeta } from '../../../src/model/entry.ts'
import type { EntryBatch } from '../../../src/model/entry-batch.ts'
import { EntryLooker } from '../../../src/sources/filesystem/entry-looker.ts'
import { type ScanOptions, TreeScanner } from '../../../src/sources/filesystem/scan.ts'
import type { ScanPlan } from '../../../src/sources/source.ts'
import { ByteReader } from '../../../src/util/bytes.ts'

/** A folder of its own for each test, open to all, gone afterwards. */
export function temporaryFolder(): { readonly path: string } {
  const folder = { path: '' }
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'holdfast-fs-'))
    chmodSync(folder.path, 0o755)
  })
  afterEach(() => {
    // Tests leave folders that even their owner may not enter, unless it is root.
    execFileSync('chmod', ['-R', 'u+rwx', folder.path], { stdio: 'ignore' })
    rmSync(folder.path, { recursive: true, force: true })
  })
  return folder
}

const NOBODY = 65534

/** Runs the body without the rights of root, where the tests have them. */
export async function unprivileged<T>(body: () => Promise<T> | T): Promise<T> {
  if (process.geteuid?.() !== 0) return await body()
  process.seteuid!(NOBODY)
  try {
    return await body()
  } finally {
    process.seteuid!(0)
  }
}

export function planOf(path: string | { path: string; prefix: string }[], more: Partial<ScanPlan> = {}): ScanPlan {
  return {
    kind: 'filesystem',
    roots: typeof path === 'string' ? [{ path, prefix: '' }] : path,
    include: [],
    exclude: [],
    excludePaths: [],
    oneFileSystem: false,
    followSymlinks: false,
    checksum: false,
    maxFileBytes: null,
    ...more,
  }
}

export interface Scanned extends EntryMeta {
  flags: number
  fingerprint: [bigint, bigint]
  root: string
  prefixBytes: number
}

interface Scan {
  entries: Scanned[]
  warnings: Warning[]
}

/** In one go, and once more as several threads would do it, which must come to the same. */
export function scan(plan: ScanPlan, { batch = 1000, ...given }: Partial<ScanOptions> & { batch?: number } = {}): Scan {
  const now = Date.now()
  const more = { nowMs: () => now, ...given }
  const alone = scanAlone(plan, batch, more)
  const together = scanTogether(plan, batch, more)
  expect(together.entries).toEqual(alone.entries)
  expect(sorted(together.warnings)).toEqual(sorted(alone.warnings))
  return alone
}

function scanAlone(plan: ScanPlan, maxEntries: number, more: Partial<ScanOptions>): Scan {
  const found: Scan = { entries: [], warnings: [] }
  const scanner = new TreeScanner(plan, optionsOf(found.warnings, more))
  for (let done = false; !done; ) {
    const next = scanner.next(maxEntries)
    found.entries.push(...scannedOf(next.batch))
    done = next.done
  }
  return found
}

function scanTogether(plan: ScanPlan, maxEntries: number, more: Partial<ScanOptions>): Scan {
  const found: Scan = { entries: [], warnings: [] }
  const options = optionsOf(found.warnings, more)
  const lister = new TreeScanner(plan, options)
  const looker = new EntryLooker(plan, options)
  for (let ended = false; !ended; ) {
    const { listing, done } = lister.list(maxEntries)
    found.entries.push(...scannedOf(listing.paths === '' ? listing.batch : looker.look(listing)))
    ended = done
  }
  return found
}

const sorted = (warnings: readonly Warning[]): string[] => warnings.map((each) => JSON.stringify(each)).sort()

export function optionsOf(warnings: Warning[], more: Partial<ScanOptions> = {}): ScanOptions {
  return {
    warn: (warning) => warnings.push(warning),
    onUnreadable: 'fail',
    aborted: () => false,
    nowMs: Date.now,
    ...more,
  }
}

export function scannedOf(batch: EntryBatch): Scanned[] {
  const entries: Scanned[] = []
  const input = new ByteReader(batch.metas)
  const fingerprints = Buffer.from(batch.fingerprints.buffer)
  const { root, prefixBytes } = batch
  for (let i = 0; i < batch.count; i++) {
    input.u32()
    const at = i * FINGERPRINT_BYTES
    const fingerprint: [bigint, bigint] = [fingerprints.readBigInt64LE(at), fingerprints.readBigUInt64LE(at + 8)]
    entries.push({ ...readMeta(input), flags: batch.flags[i]!, fingerprint, root, prefixBytes })
  }
  return entries
}

export const pathsOf = (entries: readonly EntryMeta[]): string[] => entries.map(({ path }) => path)

/** Later than any file of a test, so that none is racily clean. */
export const LATER = { nowMs: () => Date.now() + 60_000 }
