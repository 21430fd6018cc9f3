/** Trees, engines, and restores that are compared, for disks that fill up. */
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  BackupEngine,
  BackupError,
  type EngineOptions,
  filesystem,
  localTarget,
  rawKey,
  type Target,
} from '../../src/index.ts'
import { differences, type Look, look } from '../soak/look.ts'
import { mixed, noise } from '../soak/noise.ts'

const KEY = rawKey(new Uint8Array(32).fill(13))
const EPOCH = 1_600_000_000
/** Of all the files but one. */
const FILE_BYTES = 256 * 1024
const FOLDERS = 5

/** New contents for each seed: a large file of an eighth of it all, and small ones. */
export function makeTree(root: string, seed: number, bytes: number): void {
  rmSync(root, { recursive: true, force: true })
  write(join(root, 'large'), mixed(seed, 'large'), Math.floor(bytes / 8))
  const count = Math.ceil((bytes - bytes / 8) / FILE_BYTES)
  for (let n = 0; n < count; n++) write(join(root, `folder-${n % FOLDERS}`, `file-${n}`), mixed(seed, n), FILE_BYTES)
  for (let n = 0; n < FOLDERS; n++) utimesSync(join(root, `folder-${n}`), EPOCH, EPOCH)
}

function write(path: string, seed: number, bytes: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, noise(bytes, seed))
  utimesSync(path, EPOCH + (seed % 1000), EPOCH + (seed % 1000))
}

export function openOn(
  repository: string | Target,
  tree: string,
  over: Partial<EngineOptions> = {},
): Promise<BackupEngine> {
  return BackupEngine.open({
    target: typeof repository === 'string' ? localTarget(repository) : repository,
    key: KEY,
    sources: [filesystem({ name: 'data', path: tree, xattrs: false })],
    cache: 'none',
    ...over,
  })
}

export interface Committed {
  readonly id: string
  readonly look: Look
}

export async function commit(engine: BackupEngine, tree: string): Promise<Committed> {
  const { snapshot } = await engine.backup()
  return { id: snapshot.id, look: look(tree) }
}

export async function restoreTo(engine: BackupEngine, snapshot: string, folder: string): Promise<void> {
  const plan = await engine.planRestore({ snapshot, to: { folder } })
  await engine.restore(plan, { confirm: plan.digest })
}

/** What is not exact about each of these snapshots when it is restored, in words. */
export async function compareAll(engine: BackupEngine, committed: readonly Committed[], to: string): Promise<string[]> {
  const wrong: string[] = []
  for (const { id, look: wanted } of committed) {
    rmSync(to, { recursive: true, force: true })
    await restoreTo(engine, id, to)
    wrong.push(...differences(wanted, look(join(to, 'data'))).map((how) => `snapshot ${id}: ${how}`))
  }
  rmSync(to, { recursive: true, force: true })
  return wrong
}

/** The code that it fails with; 'nothing' where it does not. Anything but an error of the package is thrown. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing'
  } catch (error) {
    if (BackupError.is(error)) return error.code
    throw error
  }
}
