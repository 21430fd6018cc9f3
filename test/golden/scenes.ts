/** Golden repositories that were worked on: every kind of entry, several keys and epochs, after prunes, erasures and repairs. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IdAlgorithm } from '../../src/crypto/chunk-id.ts'
import { newId } from '../../src/crypto/random.ts'
import type { BackupEngine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/types/engine.ts'
import { runRecord } from '../../src/model/run.ts'
import { cheapKey, passphrase, rawKey } from '../../src/repository/key-slots-key.ts'
import { runKey } from '../../src/repository/keys-layout.ts'
import { openRepository } from '../../src/repository/open.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { gzip } from '../../src/transforms/gzip.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import type { Transform } from '../../src/transforms/transform.ts'
import { zstd } from '../../src/transforms/zstd.ts'
import { file, folder, node, prose, type SceneNode } from './scene-tree.ts'

export const PASSPHRASE = 'correct horse battery staple'
export const NEW_PASSPHRASE = 'Tr0ub4dor & 3 \u{1f511} \u00e9'
const RAW = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1)
export const RECOVERY_HEX = Buffer.from(RAW).toString('hex')

export interface Scene {
  name: string
  /** It was made with. */
  key: EngineOptions['key']
  /** It opens with, at the end. */
  keys: readonly EngineOptions['key'][]
  transforms: readonly Transform[]
  idAlgorithm: IdAlgorithm
  steps: readonly Step[]
  /** By name of the snapshot: what it holds at the end. */
  snapshots: Readonly<Record<string, readonly SceneNode[]>>
}

/** A backup of a tree under a name; or what else is done, by an engine that has no sources. */
type Step = { name: string; tree: readonly SceneNode[] } | { act: (engine: BackupEngine, place: string) => Promise<unknown> }

const HOLE = 65_536

const KINDS: readonly SceneNode[] = [
  folder('links'),
  file('links/one', 'one file, two names\n'),
  node('links/two', 'hardlink', { to: 'links/one' }),
  node('links/to-one', 'symlink', { to: 'one' }),
  node('links/to-one-again', 'hardlink', { to: 'links/to-one' }),
  node('links/to-nowhere', 'symlink', { to: '../not\xff/there' }),
  folder('names'),
  file('names/caf\xe9', 'not UTF-8\n'),
  file('names/new\nline', 'a line feed\n'),
  file(`names/${'x'.repeat(255)}`, 'as long as it may be\n'),
  file('names/\xc3\xbc', 'two bytes\n'),
  folder('rights', { mode: 0o1777 }),
  file('rights/nobody', 'may read this\n', { mode: 0 }),
  file('rights/setuid', 'runs as its owner\n', { mode: 0o4755 }),
  folder('sparse'),
  file('sparse/list', '', { size: 3 * HOLE + 24_000, pieces: [[2 * HOLE, prose(24_000, 1)]] }),
  file('sparse/nothing', '', { size: 3 * HOLE, pieces: [] }),
  file('sparse/the end', '', { size: 2 * HOLE + 8, pieces: [[2 * HOLE, 'the end\n']] }),
  folder('special'),
  node('special/fifo', 'fifo'),
  node('special/loop', 'block', { device: [7, 0] }),
  node('special/null', 'char', { device: [1, 3] }),
  node('special/socket', 'socket'),
  folder('times'),
  file('times/after 2106', 'later than 32 bits\n', { mtime: '5000000000000000001' }),
  file('times/before 1970', 'earlier\n', { mtime: '-1000000000999999999' }),
  folder('xattrs', { xattrs: { 'user.of a folder': 'yes' } }),
  file('xattrs/file', 'has some\n', { xattrs: { 'user.binary': '\x00\xff\n=', 'user.text': 'b\xe9' } }),
]

const BASE: readonly SceneNode[] = [
  file('empty', ''),
  folder('folder'),
  file('folder/kept', 'this stays as it is\n'),
  file('text', prose(6000, 2)),
]
const with_ = (...nodes: readonly SceneNode[]): readonly SceneNode[] => [...BASE, ...nodes]
const ONE = with_(file('only in one', prose(3000, 3)))
const TWO = with_(file('in two and three', prose(1500, 4)))
const THREE = with_(file('in two and three', prose(1500, 4)), file('only in three', 'three\n'))
const SECRET = [folder('people'), file('people/anna', 'what has to go\n'.repeat(20))]

const key = cheapKey(passphrase(PASSPHRASE))
const newKey = cheapKey(passphrase(NEW_PASSPHRASE))
const recovery = rawKey(RAW)

export const SCENES: readonly Scene[] = [
  {
    name: 'kinds',
    key: recovery,
    keys: [recovery],
    transforms: [gzip()],
    idAlgorithm: 'hmac-sha256',
    steps: [{ name: 'kinds', tree: KINDS }],
    snapshots: { kinds: KINDS },
  },
  {
    name: 'rotated',
    key,
    keys: [newKey, recovery],
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha512-256',
    steps: [
      { name: 'one', tree: ONE },
      { act: (engine) => engine.keys.add(recovery, { label: 'recovery' }) },
      { act: (engine) => engine.keys.rotate() },
      { name: 'two', tree: TWO },
      // The slot that comes now has two epochs in it, that of the recovery key one.
      { act: async (engine) => engine.keys.change((await engine.keys.list())[0]!.id, newKey) },
      { act: (engine) => engine.keys.rotate() },
      { name: 'three', tree: THREE },
    ],
    snapshots: { one: ONE, two: TWO, three: THREE },
  },
  {
    name: 'pruned',
    key: 'none',
    keys: ['none'],
    transforms: [],
    idAlgorithm: 'hmac-sha512-256',
    steps: [
      { name: 'one', tree: ONE },
      { name: 'two', tree: TWO },
      { act: (engine) => forget(engine, 'one') },
      { act: (engine) => prune(engine) },
      { name: 'three', tree: THREE },
      { act: (engine) => forget(engine, 'two') },
      { act: async (engine) => engine.annotate(await idOf(engine, 'three'), { name: 'the third', addTags: ['noted'] }) },
      { act: (engine) => engine.verify({ level: 'data' }) },
    ],
    snapshots: { 'the third': THREE },
  },
  {
    name: 'erased',
    key,
    keys: [key],
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha256',
    steps: [
      { name: 'one', tree: [...ONE, ...SECRET] },
      { name: 'two', tree: [...TWO, ...SECRET] },
      { act: eraseSecret },
    ],
    snapshots: { one: ONE.concat(SECRET[0]!), two: TWO.concat(SECRET[0]!) },
  },
  {
    name: 'ended',
    key: 'none',
    keys: ['none'],
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha256',
    steps: [
      { name: 'one', tree: [...ONE, ...SECRET] },
      { name: 'two', tree: TWO },
      { name: 'three', tree: [...THREE, ...SECRET] },
      { act: (engine) => forget(engine, 'one') },
      { act: eraseSecret },
    ],
    snapshots: { two: TWO, three: THREE.concat(SECRET[0]!) },
  },
  {
    name: 'repaired',
    key: 'none',
    keys: ['none'],
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha256',
    steps: [
      { name: 'one', tree: TWO },
      { name: 'two', tree: THREE },
      { act: damageAndRepair },
    ],
    snapshots: { one: TWO, two: TWO },
  },
  {
    name: 'undone',
    key: recovery,
    keys: [recovery],
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha512-256',
    steps: [
      { name: 'one', tree: ONE },
      { name: 'two', tree: TWO },
      { name: 'three', tree: THREE },
      { act: (engine) => forget(engine, 'one') },
      { act: async (engine) => engine.undoForget((await engine.forgotten().toArray())[0]!.id) },
      { act: (engine) => forget(engine, 'two') },
      { act: announceAndDie },
    ],
    snapshots: { one: ONE, three: THREE },
  },
]

async function idOf(engine: BackupEngine, name: string): Promise<string> {
  return (await engine.snapshots().toArray()).find((each) => each.name === name)!.id
}

async function forget(engine: BackupEngine, name: string): Promise<void> {
  const plan = await engine.planForget({ snapshots: [await idOf(engine, name)] })
  await engine.forget(plan, { confirm: plan.digest })
}

/** What a forgetting and a prune leave that were killed: their objects in `runs/`, which name snapshots. */
async function announceAndDie(engine: BackupEngine, place: string): Promise<void> {
  const target = localTarget(place)
  const options = { target, key: recovery, create: 'never', transforms: [], registry: new TransformRegistry() } as const
  const { records } = await openRepository({ ...options, now: new Date() })
  const ids = (await engine.snapshots().toArray()).map(({ id }) => id)
  for (const [i, verb] of ['forget', 'prune'].entries()) {
    const id = newId(new Date(Date.now() + i))
    const run = { id, verb, startedAt: new Date(), host: 'golden', pid: 1, beat: i, forgets: ids.slice(i) }
    await records.put('control', runKey(id), runRecord.encode(run))
  }
}

async function prune(engine: BackupEngine, options: { minDeadShare?: number } = {}): Promise<void> {
  const plan = await engine.planPrune({ keepDeletedMs: 0, ...options })
  await engine.prune(plan, { confirm: plan.digest })
}

async function eraseSecret(engine: BackupEngine): Promise<void> {
  const plan = await engine.planErase({ paths: ['tree/people/anna'] })
  const result = await engine.erase(plan, { confirm: plan.digest })
  await prune(engine, result.prune)
}

/** The pack with the content of the file that came last is damaged; what is lost is dropped. */
async function damageAndRepair(engine: BackupEngine, place: string): Promise<void> {
  const packs = readdirSync(join(place, 'packs'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(place, 'packs', name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes('three\n'))
  if (packs.length !== 1) throw new Error(`${packs.length} packs hold it`)
  const bytes = readFileSync(packs[0]!)
  bytes[bytes.indexOf('three\n')]! ^= 1
  writeFileSync(packs[0]!, bytes)
  const plan = await engine.planRepair()
  await engine.repair(plan, { drop: 'entries', confirm: plan.digest })
}
