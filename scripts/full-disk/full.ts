/**
 * Disks that fill up at a random point under a backup, a prune, a restore, a cache, temporary files. After each: what was
 * committed comes back exactly, nothing half-written has a final name, and the next run goes on.
 */
import { createReadStream, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BackupEngine, workerPool } from '../../src/index.ts'
import { look } from '../soak/look.ts'
import { mixed, seeded } from '../soak/noise.ts'
import { type SmallDisk, smallDisk } from './disk.ts'
import { type Committed, codeOf, commit, compareAll, makeTree, openOn, restoreTo } from './scene.ts'

export interface FullOptions {
  /** An empty folder on a disk with room. */
  readonly folder: string
  readonly seed: number
  /** Of the small disks; a tree has a quarter of it. */
  readonly diskBytes: number
  readonly rounds: number
  readonly say: (text: string) => void
}

export interface Round {
  readonly victim: Victim
  /** Bytes that were free when it began. */
  readonly leftBytes: number
  /** What it ended with: the code of an error, or a word. */
  readonly end: string
  /** What must not be, in words. */
  readonly problems: readonly string[]
}

export const VICTIMS = ['backup', 'prune', 'restore', 'cache', 'temporary files'] as const
export type Victim = (typeof VICTIMS)[number]

export async function fillDisks(options: FullOptions): Promise<Round[]> {
  const rounds: Round[] = []
  await using workers = workerPool()
  for (let n = 0; n < options.rounds; n++) {
    for (const victim of VICTIMS) {
      const round = await oneRound(victim, mixed(options.seed, n, victim), workers, options)
      options.say(`${victim}: ${Math.round(round.leftBytes / 2 ** 10)} KiB left, ${round.end}`)
      rounds.push(round)
    }
  }
  return rounds
}

type Workers = ReturnType<typeof workerPool>

interface Scene {
  readonly workers: Workers
  readonly disk: SmallDisk
  readonly tree: string
  readonly bytes: number
  readonly seed: number
  readonly random: () => number
  /** For what is restored in order to be compared; on a disk with room. */
  readonly aside: string
  /** On a disk with room. */
  readonly repository: string
}

async function oneRound(
  victim: Victim,
  seed: number,
  workers: Workers,
  { folder, diskBytes }: FullOptions,
): Promise<Round> {
  const at = join(folder, `round-${seed}`)
  const disk = smallDisk(join(at, 'disk'), diskBytes)
  const tree = join(at, 'tree')
  try {
    const bytes = Math.floor(diskBytes / 4)
    const scene = {
      workers,
      disk,
      tree,
      bytes,
      seed,
      random: seeded(seed),
      aside: join(at, 'aside'),
      repository: join(at, 'repository'),
    }
    makeTree(tree, seed, bytes)
    return { victim, ...(await ROUNDS[victim](scene)) }
  } finally {
    disk.remove()
    rmSync(at, { recursive: true, force: true })
  }
}

type Played = Omit<Round, 'victim'>

const ROUNDS: Readonly<Record<Victim, (scene: Scene) => Promise<Played>>> = {
  backup: fullUnderBackup,
  prune: fullUnderPrune,
  restore: fullUnderRestore,
  cache: fullUnderCache,
  'temporary files': fullUnderTemporaryFiles,
}

async function fullUnderBackup({ workers, disk, tree, bytes, seed, random, aside }: Scene): Promise<Played> {
  const engine = await openOn(join(disk.path, 'repository'), tree, { workers })
  try {
    const committed = [await commit(engine, tree)]
    makeTree(tree, seed + 1, bytes)
    disk.fill(random() * 0.9 * bytes)
    const leftBytes = disk.freeBytes()
    const end = await codeOf(engine.backup())
    const problems = [...wanted(end, 'TARGET_FULL'), ...(await soundness(engine))]
    problems.push(...(await compareAll(engine, committed, aside)))
    disk.clear()
    committed.push(await commit(engine, tree))
    problems.push(...(await compareAll(engine, committed, aside)))
    return { leftBytes, end, problems }
  } finally {
    await engine.close()
  }
}

/** Not a byte is free, and what is forgotten has to make room for what comes next. */
async function fullUnderPrune({ workers, disk, tree, bytes, seed, aside }: Scene): Promise<Played> {
  const engine = await openOn(join(disk.path, 'repository'), tree, { workers })
  try {
    const old = await commit(engine, tree)
    makeTree(tree, seed + 1, bytes / 2)
    const kept = await commit(engine, tree)
    disk.fill()
    const leftBytes = disk.freeBytes()
    const { freedBytes, warnings } = await forgetAndPrune(engine, old.id)
    const problems = freedBytes > 0 ? [] : [`a prune of a full disk has freed ${freedBytes} bytes`]
    problems.push(...(await soundness(engine)), ...(await compareAll(engine, [kept], aside)))
    makeTree(tree, seed + 2, bytes / 2)
    // The rest of the disk is as full as it was.
    const next = await commit(engine, tree)
    problems.push(...(await compareAll(engine, [kept, next], aside)))
    const codes = warnings.map(({ code }) => code).filter((code) => code !== 'TRASH_KEPT')
    return { leftBytes, end: ['freed', ...codes].join(', '), problems }
  } finally {
    await engine.close()
  }
}

async function forgetAndPrune(engine: BackupEngine, snapshot: string) {
  const forget = await engine.planForget({ snapshots: [snapshot] })
  await engine.forget(forget, { confirm: forget.digest })
  const prune = await engine.planPrune({ keepDeletedMs: 0 })
  return await engine.prune(prune, { confirm: prune.digest })
}

async function fullUnderRestore({ workers, disk, tree, bytes, random, aside, repository }: Scene): Promise<Played> {
  const engine = await openOn(repository, tree, { workers })
  try {
    const committed = await commit(engine, tree)
    disk.fill(random() * 0.9 * bytes)
    const leftBytes = disk.freeBytes()
    const to = join(disk.path, 'restored')
    const end = await codeOf(restoreTo(engine, committed.id, to))
    const problems = [...wanted(end, 'RESTORE_FULL'), ...halfWritten(join(to, 'data'), committed)]
    disk.clear()
    await restoreTo(engine, committed.id, to)
    problems.push(...halfWritten(join(to, 'data'), committed, true))
    problems.push(...(await compareAll(engine, [committed], aside)))
    return { leftBytes, end, problems }
  } finally {
    await engine.close()
  }
}

/** Files that have a name of the snapshot and other bytes, and files that have a name of their own. */
function halfWritten(root: string, { look: expected }: Committed, isWhole = false): string[] {
  if (!existsSync(root)) return isWhole ? ['nothing was restored'] : []
  const hashOf = (facts = ''): string => facts.split(' ').at(-1)!
  const found = look(root).paths
  const files = Object.keys(found).filter((path) => lstatSync(join(root, path)).isFile())
  const missing = isWhole ? Object.keys(expected.paths).filter((path) => !(path in found)) : []
  return [
    ...files.filter((path) => !(path in expected.paths)).map((path) => `${path} was left behind`),
    ...files
      .filter((path) => path in expected.paths && hashOf(found[path]) !== hashOf(expected.paths[path]))
      .map((path) => `${path} is half-written under its final name`),
    ...missing.map((path) => `${path} was not restored`),
  ]
}

/** A backup and a restore do not need the cache, and say when it is of no use. */
async function fullUnderCache({ workers, disk, tree, random, aside, repository }: Scene): Promise<Played> {
  const cache = { directory: join(disk.path, 'cache') }
  mkdirSync(cache.directory)
  disk.fill(random() * 32 * 1024)
  const leftBytes = disk.freeBytes()
  const warnings = new Set<string>()
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => void warnings.add(codeIn(fields)) }
  const committed: Committed[] = []
  const problems: string[] = []
  for (const isFull of [true, false]) {
    if (!isFull) disk.clear()
    const engine = await openOn(repository, tree, { cache, logger, workers })
    try {
      committed.push(await commit(engine, tree))
      problems.push(...(await compareAll(engine, committed, aside)))
    } finally {
      await engine.close()
    }
  }
  return { leftBytes, end: ['done', ...warnings].join(', '), problems }
}

function codeIn(fields: object): string {
  const { warning } = fields as { warning?: { code?: string } }
  return warning?.code ?? 'a warning'
}

/** A drill restores into the temporary folder, and a ZIP that comes as a stream is kept there. */
async function fullUnderTemporaryFiles({
  workers,
  disk,
  tree,
  bytes,
  random,
  aside,
  repository,
}: Scene): Promise<Played> {
  const before = process.env.TMPDIR
  const engine = await openOn(repository, tree, { workers })
  const zip = `${aside}.zip`
  try {
    const committed = await commit(engine, tree)
    await engine.exportZip({ snapshot: committed.id, to: { path: zip } })
    process.env.TMPDIR = disk.path
    disk.fill(random() * 0.9 * bytes)
    const leftBytes = disk.freeBytes()
    const bring = () => engine.importZip({ from: { stream: createReadStream(zip) } })
    const imported = await codeOf(bring())
    const { sound, findings } = await engine.drill()
    const problems = [...wanted(imported, 'RESTORE_FULL'), ...(sound ? ['a drill on a full disk was sound'] : [])]
    problems.push(...leftIn(disk))
    disk.clear()
    problems.push(...wanted(await codeOf(bring()), 'nothing'), ...leftIn(disk))
    if (!(await engine.drill()).sound) problems.push('a drill was not sound when there was room again')
    problems.push(...leftIn(disk), ...(await compareAll(engine, [committed], aside)))
    return { leftBytes, end: [imported, ...findings.map(({ code }) => code)].join(', '), problems }
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    await engine.close()
    rmSync(zip, { force: true })
  }
}

function leftIn(disk: SmallDisk): string[] {
  return readdirSync(disk.path)
    .filter((name) => name !== 'ballast')
    .map((name) => `${name} was left in the temporary folder`)
}

function wanted(end: string, code: string): string[] {
  return end === code ? [] : [`it ended with ${end} instead of ${code}`]
}

/** Every object in the repository is whole: nothing half-written has a final name. */
async function soundness(engine: BackupEngine): Promise<string[]> {
  const { sound, findings } = await engine.verify({ level: 'data' })
  return sound ? [] : findings.map(({ code, message }) => `${code}: ${message}`)
}
