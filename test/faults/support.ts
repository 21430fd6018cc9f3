/** Trees, engines and looks at both, for tests that break things. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { BackupEngine, type EngineOptions, filesystem, memoryTarget, rawKey, type Target } from '../../src/index.ts'
import { noise } from '../engine/browse/browse-fixture.ts'

export { noise }
export const KEY = rawKey(new Uint8Array(32).fill(7))
const OLD = 1_600_000_000

/** A folder of its own for each test, gone afterwards. */
export function scratch(): { path: string; at(...names: string[]): string } {
  const folder = { path: '', at: (...names: string[]) => join(folder.path, ...names) }
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'holdfast-faults-'))
  })
  afterEach(() => rmSync(folder.path, { recursive: true, force: true }))
  return folder
}

export function openOn(target: Target, source: string, over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  const { workers = 'threads' as const, ...others } = { workers: 'inline' as const, ...over }
  return BackupEngine.open({
    target,
    key: KEY,
    cache: 'none',
    ...(workers !== 'threads' && { workers }),
    sources: [filesystem({ name: 'data', path: source, xattrs: false })],
    ...others,
  })
}

export function file(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, content)
  chmodSync(path, mode)
  utimesSync(path, OLD, OLD)
}

/** Small files in nested folders, one of several chunks, links of both kinds, nothing in a file and in a folder. */
export function makeTree(root: string, bigBytes = 5_000_000): void {
  for (let i = 0; i < 12; i++)
    file(join(root, `folder-${i % 3}`, `deep-${i % 2}`, `file-${i}`), `content of ${i}\n`.repeat(i * 40))
  file(join(root, 'big'), noise(bigBytes, 3))
  file(join(root, 'empty'), '')
  mkdirSync(join(root, 'hollow'), { mode: 0o700 })
  symlinkSync('folder-0/nowhere', join(root, 'dangling'))
  lutimesSync(join(root, 'dangling'), OLD, OLD)
  linkSync(join(root, 'folder-1', 'deep-1', 'file-1'), join(root, 'second-name'))
}

/** Some of everything: changed, added, gone, of another type, renamed. */
export function changeTree(root: string): void {
  file(join(root, 'folder-0', 'deep-0', 'file-0'), 'changed')
  file(join(root, 'new', 'file'), noise(200_000, 9))
  rmSync(join(root, 'folder-2', 'deep-0'), { recursive: true })
  rmSync(join(root, 'empty'))
  mkdirSync(join(root, 'empty'))
  const big = Buffer.from(readFileSync(join(root, 'big')))
  big.fill(1, big.length / 2, big.length / 2 + 100)
  file(join(root, 'big'), big)
}

export type Look = Record<string, unknown>

/** Everything that a restore gives back, by path. */
export function look(root: string): Look {
  const found: Look = {}
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const inside = path === '' ? name : `${path}/${name}`
      const stat = lstatSync(join(root, inside), { bigint: true })
      const facts = {
        mode: Number(stat.mode).toString(8),
        uid: Number(stat.uid),
        seconds: String(stat.mtimeNs / 1_000_000_000n),
      }
      if (stat.isSymbolicLink()) found[inside] = { ...facts, to: readlinkSync(join(root, inside)) }
      else if (stat.isDirectory()) found[inside] = facts
      else found[inside] = { ...facts, links: Number(stat.nlink), bytes: hashOf(join(root, inside)) }
      if (stat.isDirectory()) visit(inside)
    }
  }
  visit('')
  return found
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

let restores = 0

/** Restores one snapshot and says what came of it. */
export async function restored(engine: BackupEngine, snapshot: string, scratchPath: string): Promise<Look> {
  const folder = join(scratchPath, `restored-${++restores}`)
  const plan = await engine.planRestore({ snapshot, to: { folder } })
  await engine.restore(plan, { verify: false })
  const found = look(join(folder, 'data'))
  rmSync(folder, { recursive: true })
  return found
}

export async function ids(engine: BackupEngine): Promise<string[]> {
  const found: string[] = []
  for await (const { id } of engine.snapshots()) found.push(id)
  return found
}

export async function expectSound(engine: BackupEngine): Promise<void> {
  const { sound, findings } = await engine.verify({ level: 'data' })
  // Packs and runs that a crash left behind are worth a note, and no harm.
  const harm = findings.filter(({ severity }) => severity !== 'info')
  expect({ sound, harm }).toEqual({ sound: true, harm: [] })
}

export type MemoryTarget = ReturnType<typeof memoryTarget>

/** A memory target with the same objects. */
export async function copyOf({ objects }: MemoryTarget): Promise<MemoryTarget> {
  const target = memoryTarget()
  for (const [key, bytes] of objects) await target.put(key, new Uint8Array(bytes))
  return target
}

export function keysBelow(target: MemoryTarget, prefix: string): string[] {
  return [...target.objects.keys()].filter((key) => key.startsWith(prefix))
}

/** The code that the promise rejects with, or 'resolved'. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )
}
