/** What a user installs: packed, installed from the tarball, imported and required, with its types. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCommonJs } from '../scripts/commonjs.ts'
import { isBuilt } from '../scripts/ensure-built.ts'
import { PROTOCOL_VERSION } from '../src/workers/threads/limits.ts'

const ROOT = join(import.meta.dirname, '..')
const PACKED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs']
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-package-')))
const app = join(folder, 'app')
const call = promisify(execFile)

/** npm hands its own settings down to a test that it runs; a user's shell has none of them. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))

/** Rejects with all that the program said, since compilers complain on stdout. */
async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await call(command, args, { cwd, env, timeout: 120_000 })).stdout
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout?: string; stderr?: string }
    throw new Error([message, stdout, stderr].join('\n'), { cause: error })
  }
}

/** Packed beside the checkout, from its `dist` where that is newer than the sources, else from a build of its own. */
beforeAll(async () => {
  const stage = join(folder, 'stage')
  mkdirSync(stage)
  mkdirSync(app)
  for (const name of PACKED) cpSync(join(ROOT, name), join(stage, name), { recursive: true })
  await buildInto(join(stage, 'dist'))
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], stage)
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }')
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
  await run('npm', [...install, join(folder, `holdfast-${manifest.version}.tgz`)], app)
  mkdirSync(join(app, 'data'))
  writeFileSync(join(app, 'data/file.txt'), 'content')
}, 240_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function buildInto(dist: string): Promise<void> {
  if (isBuilt()) return cpSync(join(ROOT, 'dist'), dist, { recursive: true })
  await run(process.execPath, ['node_modules/tsup/dist/cli-default.js', '--out-dir', dist], ROOT)
  writeCommonJs(dist)
}

/** Backs up, restores, and prints what came back and whether threads did it. */
const SCRIPT = `
  const run = async (repository, to) => {
    const engine = await BackupEngine.open({
      target: localTarget(repository), key: passphrase('secret'), sources: [filesystem({ name: 'data', path: 'data' })],
    })
    engine.on('backup:warning', ({ warning }) => console.log(warning.code))
    let workers = 0
    process.on('worker', () => workers++)
    await engine.backup()
    await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: to } }))
    await engine.close()
    console.log(fs.readFileSync(to + '/data/file.txt', 'utf8'), workers > 0)
  }`

describe('the packed package', () => {
  it('holds what it should, and no sources or tests', async () => {
    const files = readdirSync(join(app, 'node_modules/holdfast'))
    expect(files.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'])
    const dist = readdirSync(join(app, 'node_modules/holdfast/dist'))
    expect(dist).toEqual(expect.arrayContaining(['index.js', 'index.d.ts', 'testing.js', 'holdfast-worker.js']))
    expect(dist).toEqual(expect.arrayContaining(['index.cjs', 'index.d.cts', 'testing.cjs', 'holdfast-worker.cjs']))
  })

  it('has workers that know which version they belong to', () => {
    expect(PROTOCOL_VERSION).toBe(manifest.version)
  })

  it('is loaded once, whether imported or required', async () => {
    const script = `
      import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      const same = async (name) => Object.entries(await import(name)).every(([key, value]) => require(name)[key] === value)
      for (const name of ['holdfast', 'holdfast/postgres', 'holdfast/s3', 'holdfast/testing']) console.log(await same(name))
      console.log(require.resolve('holdfast/worker').endsWith('holdfast-worker.cjs'))`
    writeFileSync(join(app, 'once.mjs'), script)
    expect(await run(process.execPath, ['once.mjs'], app)).toBe('true\n'.repeat(5))
  })

  it('backs up and restores when imported', async () => {
    const imports =
      "import fs from 'node:fs'\nimport { BackupEngine, filesystem, localTarget, passphrase } from 'holdfast'"
    writeFileSync(join(app, 'main.mjs'), `${imports}\n${SCRIPT}\nawait run('repository-1', 'restored-1')`)
    expect(await run(process.execPath, ['main.mjs'], app)).toBe('content true\n')
  })

  it('backs up and restores when required', async () => {
    const requires =
      "const fs = require('node:fs')\nconst { BackupEngine, filesystem, localTarget, passphrase } = require('holdfast')"
    writeFileSync(join(app, 'main.cjs'), `${requires}\n${SCRIPT}\nrun('repository-2', 'restored-2')`)
    expect(await run(process.execPath, ['main.cjs'], app)).toBe('content true\n')
  })

  it('has a working holdfast/testing', async () => {
    const script =
      "import { memorySource, targetConformance } from 'holdfast/testing'\nconsole.log(typeof memorySource, typeof targetConformance)"
    writeFileSync(join(app, 'testing.mjs'), script)
    expect(await run(process.execPath, ['testing.mjs'], app)).toBe('function function\n')
  })

  it.for([
    ['node16', 'node16'],
    ['commonjs', 'bundler'],
    ['commonjs', 'node10'],
  ] as const)('has types for CommonJS as TypeScript writes it: %s, resolved as %s', async ([module, resolution]) => {
    const name = `required-${resolution}`
    writeFileSync(join(app, `${name}.ts`), REQUIRED)
    const options = ['--module', module, '--moduleResolution', resolution, '--ignoreDeprecations', '6.0']
    await run(process.execPath, [...TSC, ...options, `${name}.ts`], app)
    expect(await run(process.execPath, [`${name}.js`], app)).toBe('true function\n')
  })

  it.for(['nodenext', 'bundler'])('has types that resolve and are strict: %s', async (moduleResolution) => {
    writeFileSync(join(app, `types-${moduleResolution}.mts`), TYPES)
    const module = moduleResolution === 'bundler' ? 'esnext' : 'nodenext'
    const options = ['--noEmit', '--module', module, '--moduleResolution', moduleResolution]
    await run(process.execPath, [...TSC, ...options, `types-${moduleResolution}.mts`], app)
  })
})

const TSC = [
  ...[join(ROOT, 'node_modules/typescript/bin/tsc'), '--ignoreConfig', '--strict', '--target', 'es2023'],
  // TypeScript's own declarations are not what is on trial.
  ...[
    '--skipDefaultLibCheck',
    '--lib',
    'es2024,esnext.disposable',
    '--types',
    'node',
    '--typeRoots',
    join(ROOT, 'node_modules/@types'),
  ],
]

const REQUIRED = `
import { BackupError } from 'holdfast'
import * as all from 'holdfast'
import { s3Target, type S3Options } from 'holdfast/s3'
const target: (options: S3Options) => all.Target = s3Target
console.log(all.BackupError === BackupError, typeof target)
`

const TYPES = `
import { BackupEngine, BackupError, type BackupResult, type Target, filesystem, localTarget, passphrase } from 'holdfast'
import { capabilityCard, fakeClock, faultyTarget, memorySource, targetConformance, testEngine } from 'holdfast/testing'
import * as nodeTest from 'node:test'

const target: Target = localTarget('./repository')
const engine: BackupEngine = await BackupEngine.open({ target, key: passphrase(process.env.SECRET), sources: [filesystem({ name: 'a', path: '.' })] })
const result: BackupResult = await engine.backup({ tags: ['x'], sources: [memorySource({ name: 'm', files: {} })] })
engine.on('backup:complete', ({ result }) => result.snapshot.id.toUpperCase())
const path: string | undefined = (await engine.entries({ snapshot: result.snapshot.id }).toArray())[0]?.path
const tested: BackupEngine = await testEngine({ target: faultyTarget(target, []), clock: fakeClock() })
targetConformance(nodeTest, { create: () => target, onCard: (card: string) => card.length })
export const card: string = await capabilityCard({ create: () => target })
await tested.close()
// @ts-expect-error an option that does not exist
await engine.backup({ tag: 'x' })
export const code = (e: unknown) => BackupError.is(e) ? e.code : path
`
