/** A repository with an object of every class, ways to damage one, and a look at all that an engine makes of it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { BackupEngine, BackupError, type EngineOptions, memoryTarget } from '../../src/index.ts'
import { gcCandidatesRecord, gcDoneRecord } from '../../src/model/gc.ts'
import { runRecord } from '../../src/model/run.ts'
import { gcDoneKey, gcKey, runKey } from '../../src/repository/keys-layout.ts'
import { openRepository } from '../../src/repository/open.ts'
import { readOnly } from '../../src/targets/wrappers/read-only.ts'
import { memorySource } from '../../src/testing/index.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { zstd } from '../../src/transforms/zstd.ts'
import { noise } from '../engine/browse/browse-fixture.ts'

type Key = EngineOptions['key']
type Contents = ReadonlyMap<string, Uint8Array>

export interface Stand {
  target: ReturnType<typeof memoryTarget>
  /** To put bytes in behind the target's back. */
  objects: Map<string, Uint8Array>
  key: Key
  /** What each snapshot holds, by path. */
  snapshots: ReadonlyMap<string, Contents>
}

const RUN = '20260101t000000000-aaaaaaaaaa'
const DAY = new Date('2026-01-01')

/** Two backups, a check that left notes and a ledger, and what a writer and a prune that died leave. */
export async function makeStand(key: Key): Promise<Stand> {
  const target = memoryTarget()
  const files = memorySource({ name: 'files', files: firstFiles() })
  await using engine = await BackupEngine.open({ target, key, workers: 'inline', sources: [files] })
  const first = await engine.backup()
  const before = new Map(Object.entries(firstFiles()))
  files.set('d/changed', 'another text')
  files.set('new', noise(300_000, 5))
  files.set('empty', null)
  const second = await engine.backup()
  const after = new Map([...before, ['d/changed', bytesOf('another text')], ['new', noise(300_000, 5)]] as const)
  after.delete('empty')
  await engine.verify({ level: 'data' })
  await leftovers(target, key)
  return {
    target,
    objects: target.objects as Map<string, Uint8Array>,
    key,
    snapshots: new Map([
      [first.snapshot.id, before],
      [second.snapshot.id, after],
    ]),
  }
}

/** One file of several chunks, half of it worth compressing. */
function firstFiles(): Record<string, Uint8Array> {
  const big = Buffer.concat([Buffer.from(noise(3_000_000, 1)), Buffer.alloc(3_000_000, 'all the same again ')])
  const small = Array.from({ length: 20 }, (_, i) => [`d/file-${i}`, bytesOf(`text of ${i} `.repeat(i * 9))] as const)
  return { ...Object.fromEntries(small), big: new Uint8Array(big), 'd/changed': bytesOf('a text'), empty: bytesOf('') }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

async function leftovers(target: Stand['target'], key: Key): Promise<void> {
  const registry = new TransformRegistry([zstd()])
  const repository = await openRepository({ target, key, create: 'never', transforms: [zstd()], registry, now: DAY })
  const { records } = repository
  const run = { id: RUN, verb: 'backup', startedAt: DAY, host: 'gone', pid: 1, beat: 3 }
  await records.put('control', runKey(RUN), runRecord.encode(run))
  const gone = 'ab'.repeat(32)
  await records.put('control', gcKey(2), gcCandidatesRecord.encode({ n: 2, run: RUN, at: DAY, packs: [gone] }))
  const done = { n: 1, outcome: 'done' as const, run: RUN, at: DAY, dead: [gone] }
  await records.put('control', gcDoneKey(1), gcDoneRecord.encode(done))
}

/** Undefined: the object is gone. `other`: another object of the same class. */
export type Damage = (bytes: Buffer, other: Uint8Array) => Uint8Array | undefined

const flip =
  (share: number, bit: number): Damage =>
  (bytes) => {
    bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * share))]! ^= 1 << bit
    return bytes
  }

/** More of them, by every verb: `npm run corruption`. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  'first bit': flip(0, 0),
  'bit at an eighth': flip(1 / 8, 7),
  'bit in the middle': flip(1 / 2, 3),
  'last bit': flip(1, 7),
  'half of it': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'last byte gone': (bytes) => bytes.subarray(0, -1),
  garbage: (bytes) => noise(bytes.length, 77),
  swapped: (_, other) => new Uint8Array(other),
  missing: () => undefined,
}

/** Runs the body with one object damaged, and puts everything back. */
export async function withDamage<T>(
  { objects }: Stand,
  key: string,
  damage: Damage,
  other: Uint8Array,
  body: () => Promise<T>,
): Promise<T> {
  const kept = [...objects]
  const damaged = damage(Buffer.from(objects.get(key)!), other)
  if (damaged) objects.set(key, damaged)
  else objects.delete(key)
  try {
    return await body()
  } finally {
    objects.clear()
    for (const [name, bytes] of kept) objects.set(name, bytes)
  }
}

export interface Look {
  /** Codes of errors and of findings above 'info': how it was noticed. */
  noticed: Set<string>
  sound: boolean
  /** Entries that came out whole, of both snapshots. */
  exact: number
}

/** Opens, proves, reads all. Throws for what must never be: a wrong byte, or an error that is not a BackupError. */
export async function lookAt(stand: Stand, over: Partial<EngineOptions> = {}): Promise<Look> {
  const look: Look = { noticed: new Set(), sound: false, exact: 0 }
  const options = { target: readOnly(stand.target), key: stand.key, create: 'never' as const }
  const engine = await noticing(look, () => BackupEngine.open({ workers: 'inline', ...options, ...over }))
  if (!engine) return look
  try {
    await prove(engine, look)
    for (const id of stand.snapshots.keys()) await readAll(engine, stand, id, look)
  } finally {
    await engine.close()
  }
  return look
}

async function prove(engine: BackupEngine, look: Look): Promise<void> {
  const result = await noticing(look, () => engine.verify({ level: 'data' }))
  look.sound = result?.sound ?? false
  for (const { code, severity } of result?.findings ?? []) if (severity !== 'info') look.noticed.add(code)
}

async function readAll(engine: BackupEngine, stand: Stand, snapshot: string, look: Look): Promise<void> {
  for (const [path, expected] of stand.snapshots.get(snapshot)!) {
    // The same chunks in both: once is enough.
    if (path === 'big' && snapshot !== [...stand.snapshots.keys()].at(-1)) continue
    const found = await noticing(look, async () => buffer(await engine.read({ snapshot, path: `files/${path}` })))
    if (!found) continue
    if (Buffer.compare(found, expected) !== 0) throw new Error(`${path} was read with wrong bytes`)
    look.exact++
  }
}

/** Restores a snapshot into a new folder; whatever lies there afterwards under its own name must be exact. */
export async function restoreAll(stand: Stand): Promise<Set<string>> {
  const look: Look = { noticed: new Set(), sound: false, exact: 0 }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-corruption-'))
  const options = {
    target: readOnly(stand.target),
    key: stand.key,
    create: 'never' as const,
    workers: 'inline' as const,
  }
  const engine = await BackupEngine.open(options)
  try {
    for (const [id, contents] of stand.snapshots) {
      const to = join(folder, id)
      await noticing(look, async () =>
        engine.restore(await engine.planRestore({ snapshot: id, to: { folder: to } }), { verify: false }),
      )
      compareFolder(join(to, 'files'), contents)
    }
    return look.noticed
  } finally {
    await engine.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function compareFolder(folder: string, contents: Contents): void {
  for (const [path, expected] of contents) {
    const found = readIfThere(join(folder, path))
    if (found && Buffer.compare(found, expected) !== 0) throw new Error(`${path} was restored with wrong bytes`)
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** Undefined where it failed as it should. */
async function noticing<T>(look: Look, body: () => Promise<T>): Promise<T | undefined> {
  try {
    return await body()
  } catch (error) {
    if (!BackupError.is(error) || error.code === 'INTERNAL') throw error
    look.noticed.add(error.code)
    return undefined
  }
}

export function classOf(key: string): string {
  if (key.startsWith('gc/')) return key.endsWith('.done') ? 'gc done' : 'gc'
  return key.slice(0, key.indexOf('/'))
}
