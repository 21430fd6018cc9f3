/** What a snapshot gives back, byte by byte. Whatever must never be is thrown. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type BackupEngine, BackupError } from '../../../src/index.ts'
import type { Contents } from './scene.ts'

/** Restores whole, and where that is refused reads one by one. Gives the codes; what comes out is exact, and noted in `got`. */
export async function readBack(
  engine: BackupEngine,
  snapshots: ReadonlyMap<string, Contents>,
  got = new Set<string>(),
): Promise<Set<string>> {
  const codes = new Set<string>()
  for (const [snapshot, contents] of snapshots) {
    const paths = (await restoreWhole(engine, snapshot, contents, codes))
      ? contents.keys()
      : await readEach(engine, snapshot, contents, codes)
    for (const path of paths) got.add(`${snapshot} ${path}`)
  }
  return codes
}

async function restoreWhole(
  engine: BackupEngine,
  snapshot: string,
  contents: Contents,
  codes: Set<string>,
): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-matrix-'))
  try {
    const whole = await attempt(codes, async () => {
      const plan = await engine.planRestore({ snapshot, to: { folder: join(folder, 'to') } })
      return await engine.restore(plan, { verify: false })
    })
    if (whole) compareFolder(join(folder, 'to', 'files'), contents)
    return whole !== undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function readEach(
  engine: BackupEngine,
  snapshot: string,
  contents: Contents,
  codes: Set<string>,
): Promise<string[]> {
  const paths: string[] = []
  for (const [path, expected] of contents) {
    const found = await attempt(codes, () => readOne(engine, snapshot, path))
    if (!found) continue
    if (Buffer.compare(found, expected) !== 0) throw new Error(`${path} was read with wrong bytes`)
    paths.push(path)
  }
  return paths
}

async function readOne(engine: BackupEngine, snapshot: string, path: string): Promise<Buffer> {
  return buffer(await engine.read({ snapshot, path: `files/${path}` }))
}

function compareFolder(folder: string, contents: Contents): void {
  if (contents.size === 0) return
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
  same(
    'restored',
    found.map(({ parentPath, name }) => join(parentPath, name)).sort(),
    [...contents.keys()].map((path) => join(folder, path)).sort(),
  )
  for (const [path, expected] of contents) {
    if (Buffer.compare(readFileSync(join(folder, path)), expected) !== 0)
      throw new Error(`${path} was restored with wrong bytes`)
  }
}

export function pathsOf(contents: Contents): string[] {
  return [...contents.keys()].map((path) => `files/${path}`).sort()
}

export function same(what: string, found: readonly string[], expected: readonly string[]): void {
  if (found.join('\n') !== expected.join('\n'))
    throw new Error(`${what}: ${found.join(', ')} in place of ${expected.join(', ')}`)
}

/** Undefined where it failed as it should. An error of no type passes through. */
export async function attempt<T>(codes: Set<string>, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!BackupError.is(error) || error.code === 'INTERNAL') throw error
    codes.add(error.code)
    return undefined
  }
}
