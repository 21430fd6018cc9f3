/**
 * Makes the golden files anew: `node test/golden/make.ts vectors`, or `… make.ts <name of a repository that is not there
 * yet>`. Repositories that are there are never written again: every release must read what an older one wrote. Not run
 * by tests. Linux only, for the name that is not UTF-8; devices want root.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { BackupEngine } from '../../src/engine/engine.ts'
import { rawKey } from '../../src/repository/key-slots-key.ts'
import type { EngineOptions } from '../../src/engine/types/engine.ts'
import { openRepository } from '../../src/repository/open.ts'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import {
  CHEAP_KDF,
  EXPECTED_FILE,
  GOLDEN,
  type Golden,
  REPOSITORIES_FOLDER,
  SCENES_FILE,
  VECTORS_FILE,
} from './repositories.ts'
import { expectedTree, plantTree, SCENE_SOURCE, type SceneNode } from './scene-tree.ts'
import { SCENES, type Scene } from './scenes.ts'
import { expectedOf, FILES, plantFirst, plantSecond, recordsSource, STATES, TINY_CHUNKS } from './tree.ts'
import { makeVectors } from './vectors.ts'

/** Files changed in the last two seconds get no fingerprint. */
const SETTLED_MS = 2500

async function create(golden: Pick<Golden, 'name' | 'key' | 'transforms' | 'idAlgorithm'>): Promise<string> {
  const place = join(REPOSITORIES_FOLDER, golden.name)
  if (existsSync(place)) throw new Error(`${place} is there; a golden repository is never made again`)
  await openRepository({
    ...golden,
    target: localTarget(place),
    create: 'if-empty',
    registry: new TransformRegistry(),
    now: new Date(),
    kdfParameters: CHEAP_KDF,
    chunking: { files: TINY_CHUNKS, table: TINY_CHUNKS },
  })
  return place
}

async function makeRepository(golden: Golden): Promise<void> {
  const folder = await create(golden)
  const root = mkdtempSync(join(tmpdir(), 'golden-'))
  try {
    plantFirst(root)
    await backup(golden, folder, root, 'first')
    if (golden.isRotated) await rotate(golden, folder)
    plantSecond(root)
    await backup(golden, folder, root, 'second')
  } finally {
    rmSync(root, { recursive: true })
  }
  const states = STATES.map((state) =>
    expectedOf(state)
      .map((entry) => JSON.stringify(entry))
      .join(',\n'),
  )
  writeFileSync(EXPECTED_FILE, `[[\n${states.join('\n],[\n')}\n]]\n`)
}

async function backup({ key, transforms }: Golden, folder: string, root: string, name: string): Promise<void> {
  await setTimeout(SETTLED_MS)
  const sources = [filesystem({ name: FILES, path: root }), recordsSource()]
  const target = localTarget(folder)
  await using engine = await BackupEngine.open({ target, key, transforms, sources, workers: 'inline', host: 'golden' })
  const { warnings } = await engine.backup({ name, tags: ['golden'], labels: { state: name } })
  failOn(warnings)
}

async function makeScene(scene: Scene): Promise<void> {
  const place = await create(scene)
  const parent = mkdtempSync(join(tmpdir(), 'golden-'))
  const root = join(parent, 'root')
  try {
    for (const step of scene.steps) {
      if ('tree' in step) await plantScene(root, step.tree)
      const sources = 'tree' in step ? [filesystem({ name: SCENE_SOURCE, path: root })] : []
      await using engine = await openScene(scene, place, sources)
      if ('act' in step) await step.act(engine, place)
      else failOn((await engine.backup({ name: step.name })).warnings)
    }
  } finally {
    rmSync(parent, { recursive: true })
  }
  const all = existsSync(SCENES_FILE) ? JSON.parse(readFileSync(SCENES_FILE, 'utf8')) : {}
  const snapshots = Object.entries(scene.snapshots).map(([name, nodes]) => [name, expectedTree(nodes)])
  writeFileSync(SCENES_FILE, `${JSON.stringify({ ...all, [scene.name]: Object.fromEntries(snapshots) }, null, 1)}\n`)
}

async function plantScene(root: string, nodes: readonly SceneNode[]): Promise<void> {
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root)
  plantTree(root, nodes)
  await setTimeout(SETTLED_MS)
}

/** Whatever key of the scene opens it by now. */
async function openScene(
  { key, keys, transforms }: Scene,
  place: string,
  sources: NonNullable<EngineOptions['sources']>,
): Promise<BackupEngine> {
  const options = { target: localTarget(place), transforms, sources, workers: 'inline' as const, host: 'golden' }
  try {
    return await BackupEngine.open({ ...options, key })
  } catch {
    return BackupEngine.open({ ...options, key: keys[0]! })
  }
}

function failOn(warnings: readonly unknown[]): void {
  if (warnings.length > 0) throw new Error(JSON.stringify(warnings))
}

async function rotate({ key }: Golden, folder: string): Promise<void> {
  await using engine = await BackupEngine.open({ target: localTarget(folder), key, workers: 'inline', host: 'golden' })
  await engine.keys.add(rawKey(new Uint8Array(32).fill(255)), { label: 'second' })
  await engine.keys.rotate()
}

const wanted = process.argv[2]
const scene = SCENES.find(({ name }) => name === wanted)
if (wanted === 'vectors') writeFileSync(VECTORS_FILE, `${JSON.stringify(await makeVectors(), null, 1)}\n`)
else if (scene) await makeScene(scene)
else await makeRepository(GOLDEN.find(({ name }) => name === wanted)!)
