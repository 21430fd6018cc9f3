/** A repository with objects of every class, in several versions, made by the verbs that make them. */
import { BackupEngine, memoryTarget, rawKey, type Target } from '../../../src/index.ts'
import { gcCandidatesRecord } from '../../../src/model/gc.ts'
import { runRecord } from '../../../src/model/run.ts'
import { gcKey, PREFIX, runKey, trashKey } from '../../../src/repository/keys-layout.ts'
import { openRepository, type Repository } from '../../../src/repository/open.ts'
import { wrapTarget } from '../../../src/targets/target.ts'
import { type MemorySource, memorySource } from '../../../src/testing/index.ts'
import { TransformRegistry } from '../../../src/transforms/registry.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import { noise } from '../../engine/browse/browse-fixture.ts'

export type Contents = ReadonlyMap<string, Uint8Array>
export type Objects = ReadonlyMap<string, Uint8Array>

export const KEY = rawKey(new Uint8Array(32).fill(9))
export const OTHER_KEY = rawKey(new Uint8Array(32).fill(10))
/** Opened the repository once; its slot was removed. */
export const REMOVED_KEY = rawKey(new Uint8Array(32).fill(11))

export interface Scene {
  objects: Objects
  /** Every version of every object that there ever was, also of those that are gone. */
  history: ReadonlyMap<string, readonly Uint8Array[]>
  /** What each snapshot holds, by path; the last one is the newest. */
  snapshots: ReadonlyMap<string, Contents>
  /** What lies there while a writer and a prune are at work, or after they died. */
  leftovers: Objects
  /** As they were at the newest snapshot, with the fingerprints that they had. */
  files: Files
}

const HOST = 'web'
const DIED = '20260101t000000000-aaaaaaaaaa'
const DIED_TOO = '20260101t000000000-bbbbbbbbbb'
const DAY = new Date('2026-01-01')
const HOLE = 65_536

export async function makeScene(): Promise<Scene> {
  const kept = recording()
  const files = new Files()
  await using engine = await BackupEngine.open({ ...OPEN, target: kept.target, key: KEY, sources: [files.source] })
  const backup = async (): Promise<string> => (await engine.backup()).snapshot.id
  const forget = async (...snapshots: string[]): Promise<void> => {
    const plan = await engine.planForget({ snapshots })
    await engine.forget(plan, { confirm: plan.digest })
  }
  const prune = async (): Promise<void> => {
    const plan = await engine.planPrune({ keepDeletedMs: 0 })
    await engine.prune(plan, { confirm: plan.digest })
  }
  const snapshots = new Map<string, Contents>()
  const stays = async (): Promise<string> => {
    const id = await backup()
    snapshots.set(id, files.contents())
    return id
  }

  const first = await backup()
  await engine.keys.add(OTHER_KEY, { label: 'other' })
  const removed = await engine.keys.add(REMOVED_KEY, { label: 'removed' })
  await engine.keys.remove(removed.id)
  files.set('sub/of the second', noise(40_000, 20))
  const second = await stays()
  await engine.keys.rotate()
  await engine.annotate(second, { name: 'the second' })
  await engine.annotate(second, { addTags: ['noted'] })
  files.set('sub/only in the third', noise(30_000, 21))
  const third = await backup()
  files.set('sub/only in the third', null)
  await forget(first)
  await prune()
  files.set('a', 'changed')
  const fourth = await stays()
  await engine.annotate(fourth, { addHold: { reason: 'audit' } })
  await forget(third)
  await prune()
  for (const n of [1, 2]) {
    files.set('sub/of one that is forgotten', noise(20_000, 30 + n))
    await forget(await backup())
  }
  files.set('sub/of one that is forgotten', null)
  files.set('sub/nobody has it any more', noise(25_000, 40))
  const gone = await backup()
  await forget(gone)
  await kept.target.delete([trashKey(gone)])
  files.set('sub/nobody has it any more', null)
  files.set('sub/new', noise(200_000, 41))
  files.set('striped', striped())
  await stays()
  await engine.verify({ level: 'data' })
  await engine.verify({ level: 'data' })
  return {
    objects: kept.objects(),
    history: kept.history,
    snapshots,
    leftovers: await makeLeftovers(kept.target),
    files,
  }
}

export const OPEN = { workers: 'inline', host: HOST } as const

/** The source of all backups of the scene. */
export class Files {
  readonly source: MemorySource
  private readonly current: Map<string, Uint8Array>

  constructor(contents: Contents = firstFiles()) {
    this.current = new Map(contents)
    this.source = withLargeFacts(memorySource({ name: 'files', files: Object.fromEntries(this.current) }))
  }

  set(path: string, content: string | Uint8Array | null): void {
    this.source.set(path, content)
    if (content === null) this.current.delete(path)
    else this.current.set(path, typeof content === 'string' ? bytesOf(content) : content)
  }

  contents(): Contents {
    return new Map(this.current)
  }
}

/** Facts that do not fit into a snapshot are stored as a chunk. */
function withLargeFacts(source: MemorySource): MemorySource {
  return {
    ...source,
    open: async (context) => ({
      ...(await source.open(context)),
      describe: async () => ({ listed: 'a fact '.repeat(1000) }),
    }),
  }
}

/** Text, noise, nothing. */
function firstFiles(): Contents {
  return new Map([
    ['a', bytesOf('a text')],
    ['big', new Uint8Array(noise(300_000, 1))],
    ['empty', new Uint8Array(0)],
    ...Array.from({ length: 6 }, (_, i) => [`sub/file-${i}`, bytesOf(`text of ${i} `.repeat(i * 90))] as const),
  ])
}

/** So many holes that its chunks stand in a list of their own. */
function striped(): Uint8Array {
  const bytes = new Uint8Array(66 * HOLE)
  for (let i = 0; i < 66; i += 2) bytes.set(noise(300, 100 + i), i * HOLE)
  return bytes
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

interface Recording {
  target: Target
  objects(): Map<string, Uint8Array>
  history: Map<string, Uint8Array[]>
}

function recording(): Recording {
  const inner = memoryTarget()
  const history = new Map<string, Uint8Array[]>()
  const target = wrapTarget(inner, {
    put: async (key, body, options) => {
      const made = await inner.put(key, body, options)
      if (made) history.set(key, [...(history.get(key) ?? []), new Uint8Array(body)])
      return made
    },
  })
  return { target, history, objects: () => copyOf(inner.objects) }
}

export function copyOf(objects: Objects): Map<string, Uint8Array> {
  return new Map([...objects].map(([key, bytes]) => [key, new Uint8Array(bytes)]))
}

export function openRecords(target: Target, key = KEY): Promise<Repository> {
  const registry = new TransformRegistry([zstd()])
  return openRepository({ target, key, create: 'never', transforms: [zstd()], registry, now: DAY })
}

/** Two writers, and a prune that has named a pack which nobody knows. */
async function makeLeftovers(target: Target): Promise<Objects> {
  const { records } = await openRecords(target)
  const made = new Map<string, Uint8Array>()
  const add = (key: string, bytes: Uint8Array): unknown => made.set(key, records.seal('control', key, bytes))
  for (const id of [DIED, DIED_TOO]) {
    const run = { id, verb: 'backup', startedAt: DAY, host: 'gone', pid: 1, beat: 3 }
    add(runKey(id), runRecord.encode(run))
  }
  let n = 1
  for await (const _ of target.list(PREFIX.gc)) n++
  add(gcKey(n), gcCandidatesRecord.encode({ n, run: DIED_TOO, at: DAY, packs: ['ab'.repeat(32)] }))
  return made
}
