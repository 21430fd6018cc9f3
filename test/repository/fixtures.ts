/** A small repository in memory, with cheap keys. */
import type { Keyring } from '../../src/crypto/keyring.ts'
import { newId } from '../../src/crypto/random.ts'
import { BackupError } from '../../src/errors.ts'
import type { SnapshotRecord } from '../../src/model/snapshot.ts'
import { passphrase } from '../../src/repository/key-slots-key.ts'
import { type OpenRepositoryOptions, openRepository, type Repository } from '../../src/repository/open.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import type { Target } from '../../src/targets/target.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { zstd } from '../../src/transforms/zstd.ts'

export const NOW = new Date('2026-01-02T03:04:05.678Z')
/** The weakest that is allowed: 4 MiB and a few milliseconds. */
export const CHEAP_KDF = { N: 2 ** 15, r: 1, p: 1 }
export const KEY = passphrase('correct horse')

export type { Keyring }

export function openIn(target: Target, options: Partial<OpenRepositoryOptions> = {}): Promise<Repository> {
  return openRepository({
    target,
    key: KEY,
    create: 'if-empty',
    transforms: [zstd()],
    registry: new TransformRegistry(),
    now: NOW,
    kdfParameters: CHEAP_KDF,
    idAlgorithm: 'hmac-sha256',
    ...options,
  })
}

export async function freshRepository(
  options: Partial<OpenRepositoryOptions> = {},
): Promise<Repository & { objects: Map<string, Uint8Array> }> {
  const target = memoryTarget()
  const repository = await openIn(target, options)
  return { ...repository, objects: target.objects as Map<string, Uint8Array> }
}

/** The same objects in a target of their own. */
export async function copyOf(
  objects: ReadonlyMap<string, Uint8Array>,
): Promise<Target & { readonly objects: ReadonlyMap<string, Uint8Array> }> {
  const target = memoryTarget()
  for (const [key, bytes] of objects) await target.put(key, new Uint8Array(bytes))
  return target
}

/** The code that the promise rejects with, or 'resolved'. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    if (BackupError.is(error)) return error.code
    throw error
  }
}

export function codeThrown(run: () => unknown): string {
  try {
    run()
    return 'returned'
  } catch (error) {
    if (BackupError.is(error)) return error.code
    throw error
  }
}

export function snapshotOf(id = newId(NOW), fields: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id,
    runId: id,
    createdAt: NOW,
    host: 'here',
    kind: 'backup',
    tags: [],
    labels: {},
    previous: null,
    complete: true,
    epoch: 1,
    durationMs: 12.5,
    counts: {
      entries: 1,
      added: 1,
      modified: 0,
      unchanged: 0,
      deleted: 0,
      skipped: 0,
      sourceBytes: 10,
      readBytes: 10,
      newBytes: 10,
      storedBytes: 12,
    },
    sources: [{ name: 'files', kind: 'filesystem', root: null, entries: 0, bytes: 0, facts: {} }],
    ...fields,
  }
}

export async function putSnapshot({ records }: Repository, record: SnapshotRecord): Promise<void> {
  const { snapshotRecord } = await import('../../src/model/snapshot.ts')
  await records.put('snapshots', `snapshots/${record.id}`, snapshotRecord.encode(record))
}
