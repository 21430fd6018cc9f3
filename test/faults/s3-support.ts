/** A repository in a bucket of a real gateway, with one backup in it; and looks at what a fault has left of it. */
import { expect } from 'vitest'
import { hurried } from '../../scripts/reliability/bad-line.ts'
import { BackupEngine, type EngineOptions, type Target } from '../../src/index.ts'
import { type S3Options, s3Target } from '../../src/targets/s3/index.ts'
import { type MemorySource, memorySource } from '../../src/testing/index.ts'
import { noise } from '../engine/browse/browse-fixture.ts'
import type { TestS3 } from '../servers/s3.ts'
import { type BucketOptions, type TestBucket, testBucket } from '../servers/s3-bucket.ts'
import { ids, KEY } from './support.ts'

export interface Kept {
  readonly bucket: TestBucket
  readonly source: MemorySource
  /** Of the backup that was there before. */
  readonly first: string
  at(over?: Partial<S3Options>): Target
  open(target?: Target, over?: Partial<EngineOptions>): Promise<BackupEngine>
  /** Whether the first backup is whole, and another one works, is sound and has what the source has now. */
  expectGoesOn(target?: Target): Promise<void>
  drop(): Promise<void>
}

const FIRST = 'as it was'
const NOW = noise(300_000, 3)
/** Waits of repetitions, by how much shorter. */
const HURRY = 50

export function openOn(target: Target, source: MemorySource, over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  const clock = hurried(HURRY)
  return BackupEngine.open({ target, key: KEY, workers: 'inline', cache: 'none', sources: [source], clock, ...over })
}

export async function kept(server: TestS3, options: BucketOptions = {}, place: Partial<S3Options> = {}): Promise<Kept> {
  const bucket = await testBucket(server, options)
  const source = memorySource({ name: 'data', files: { file: FIRST } })
  const at = (over: Partial<S3Options> = {}): Target => s3Target({ ...bucket.place, ...place, ...over })
  const open = (target = at(), over: Partial<EngineOptions> = {}): Promise<BackupEngine> => openOn(target, source, over)
  const engine = await open()
  const first = (await engine.backup()).snapshot.id
  await engine.close()
  source.set('file', NOW)
  return {
    bucket,
    source,
    first,
    at,
    open,
    expectGoesOn: (target = at()) => goesOn(open(target), first),
    drop: () => bucket.drop(),
  }
}

async function goesOn(opening: Promise<BackupEngine>, first: string): Promise<void> {
  const engine = await opening
  expect(await textOf(engine, first)).toBe(FIRST)
  const { snapshot, warnings } = await engine.backup()
  expect(warnings.filter(({ code }) => code !== 'NO_CREATE_ONCE')).toEqual([])
  expect(await ids(engine)).toContain(first)
  expect(Buffer.compare(await bytesOf(engine, snapshot.id), NOW)).toBe(0)
  const { sound, findings } = await engine.verify({ level: 'data' })
  expect({ sound, harm: findings.filter(({ severity }) => severity !== 'info') }).toEqual({ sound: true, harm: [] })
  await engine.close()
}

async function bytesOf(engine: BackupEngine, snapshot: string): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of await engine.read({ snapshot, path: 'data/file' })) parts.push(part)
  return Buffer.concat(parts)
}

async function textOf(engine: BackupEngine, snapshot: string): Promise<string> {
  return String(await bytesOf(engine, snapshot))
}
