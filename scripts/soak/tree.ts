/**
 * The tree of one writer at any generation: a pure function of its seed, so that a process that was killed while it changed
 * its tree can finish the change. Contents are fresh, the same as another writer's, or those of an earlier generation, so
 * that there is something to deduplicate against packs that a prune may be about to delete.
 */
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { mixed, noise, seeded } from './noise.ts'

export interface TreeSize {
  readonly files: number
  /** Of a file at most. */
  readonly fileBytes: number
  /** Files that another generation has other contents in. */
  readonly changed: number
  /** Of one file in addition, which is new in every third generation: several packs, with checkpoints between. */
  readonly largeBytes: number
}

/** The content of a file by the seed that makes it, or a link. */
type Spec = { readonly seed: number; readonly bytes: number } | { readonly to: string }
type Model = ReadonlyMap<string, Spec>

export interface TreeSeeds {
  /** Of the writer. */
  readonly own: number
  /** Of all writers. */
  readonly shared: number
}

const EPOCH = 1_600_000_000
const LARGE_EVERY = 3
const SHARED = 0.3
const EARLIER = 0.2

/** Makes what is at `root`, which is generation - 1 or anything on the way, the tree of `generation`. */
export function makeGeneration(root: string, generation: number, seeds: TreeSeeds, size: TreeSize): void {
  const models = modelsUntil(generation, seeds, size)
  const [before, after] = [models.at(-2), models.at(-1)!]
  if (before === undefined) rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  for (const path of before?.keys() ?? []) if (!after.has(path)) rmSync(join(root, path), { force: true })
  for (const [path, spec] of after) {
    if (!same(before?.get(path), spec)) write(join(root, path), spec)
  }
  settleFolders(root, generation)
}

function same(one: Spec | undefined, other: Spec): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Of all generations up to this one. */
function modelsUntil(generation: number, seeds: TreeSeeds, size: TreeSize): Model[] {
  const models = [first(seeds, size)]
  const ever = [...models[0]!.values()]
  for (let g = 1; g <= generation; g++) models.push(next(models.at(-1)!, g, ever, seeds, size))
  return models
}

function first(seeds: TreeSeeds, size: TreeSize): Model {
  const random = seeded(mixed(seeds.own, 'first'))
  const model = new Map<string, Spec>([['dangling', { to: 'folder-0/nowhere' }]])
  for (let i = 0; i < size.files; i++) model.set(pathOf(i), fresh(random, 0, i, seeds, size))
  return model
}

function pathOf(i: number): string {
  return `folder-${i % 7}/deep-${i % 3}/file-${i}`
}

function next(before: Model, g: number, ever: Spec[], seeds: TreeSeeds, size: TreeSize): Model {
  const random = seeded(mixed(seeds.own, g))
  const model = new Map(before)
  for (let n = 0; n < size.changed; n++) {
    const path = pathOf(Math.floor(random() * size.files * 1.2))
    const fate = random()
    if (fate < 0.1) model.delete(path)
    else if (fate < 0.1 + EARLIER) model.set(path, ever[Math.floor(random() * ever.length)]!)
    else model.set(path, fresh(random, g, n, seeds, size))
  }
  model.set('latest', { to: `generation-${g}` })
  model.delete('large')
  if (g % LARGE_EVERY === 1) model.set('large', { seed: mixed(seeds.own, 'large', g), bytes: size.largeBytes })
  for (const [path, spec] of model) if (before.get(path) !== spec && path !== 'large') ever.push(spec)
  return model
}

/** Writers that are at about the same generation have some contents in common. */
function fresh(random: () => number, g: number, n: number, seeds: TreeSeeds, size: TreeSize): Spec {
  const isShared = random() < SHARED
  const seed = isShared ? mixed(seeds.shared, g >> 1, n) : mixed(seeds.own, g, n)
  return { seed, bytes: Math.floor(seeded(seed)() * size.fileBytes) }
}

function write(path: string, spec: Spec): void {
  mkdirSync(dirname(path), { recursive: true })
  rmSync(path, { force: true })
  if ('to' in spec) {
    symlinkSync(spec.to, path)
    lutimesSync(path, EPOCH, EPOCH)
    return
  }
  writeFileSync(path, noise(spec.bytes, spec.seed))
  chmodSync(path, spec.seed % 5 === 0 ? 0o600 : 0o644)
  const time = EPOCH + (spec.seed % 1_000_000)
  utimesSync(path, time, time)
}

/** Times of whole seconds, so that they can be compared to the last digit. */
function settleFolders(path: string, generation: number): void {
  for (const item of readdirSync(path, { withFileTypes: true })) {
    if (item.isDirectory()) settleFolders(join(path, item.name), generation)
  }
  if (lstatSync(path, { bigint: true }).mtimeNs % 1_000_000_000n === 0n) return
  utimesSync(path, EPOCH + generation, EPOCH + generation)
}
