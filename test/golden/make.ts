/**
 * Makes the golden files anew: `node test/golden/make.ts vectors`, or `… make.ts <name of a repository that is not there
 * yet>`. Repositories that are there are never written again: every release must read what an older one wrote. Not run
 * by tests. Linux only, for the name that is not UTF-8.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { BackupEngine } from '../../src/engine/engine.ts'
import { openRepository } from '../../src/repository/open.ts'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { CHEAP_KDF, EXPECTED_FILE, GOLDEN, type Golden, REPOSITORIES_FOLDER, VECTORS_FILE } from './repositories.ts'
import { expectedOf, FILES, plantFirst, plantSecond, recordsSource, STATES, TINY_CHUNKS } from './tree.ts'
import { makeVectors } from './vectors.ts'

/** Files changed in the last two seconds get no fingerprint. */
const SETTLED_MS = 2500

async function makeRepository(golden: Golden): Promise<void> {
  const folder = join(REPOSITORIES_FOLDER, golden.name)
  if (existsSync(folder)) throw new Error(`${folder} is there; a golden repository is never made again`)
  await openRepository({
    ...golden,
    target: localTarget(folder),
    create: 'if-empty',
    registry: new TransformRegistry(),
    now: new Date(),
    kdfParameters: CHEAP_KDF,
    chunking: { files: TINY_CHUNKS, table: TINY_CHUNKS },
  })
  const root = mkdtempSync(join(tmpdir(), 'golden-'))
  try {
    plantFirst(root)
    await backup(golden, folder, root, 'first')
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
  if (warnings.length > 0) throw new Error(JSON.stringify(warnings))
}

const wanted = process.argv[2]
if (wanted === 'vectors') writeFileSync(VECTORS_FILE, `${JSON.stringify(await makeVectors(), null, 1)}\n`)
else await makeRepository(GOLDEN.find(({ name }) => name === wanted)!)
