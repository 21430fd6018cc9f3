/** Bundled by esbuild into folders that have no node_modules, as docs/embedding.md shows it. */
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Format } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROTOCOL_VERSION } from '../../src/workers/threads/limits.ts'
import { type Installed, installBuilt, ROOT } from '../built-package.ts'
import { FINE, INLINE, prepare, SMOKE, smoke } from './support.ts'

const NOBODY = 65534
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
let built: Installed
let space = ''

beforeAll(async () => {
  built = await installBuilt()
  prepare(built.folder)
  space = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-bundles-')))
  prepare(space)
  for (const format of ['esm', 'cjs'] as const) await bundle(format, `${format}-alone`, { main: SMOKE })
  await bundle('cjs', 'cjs', { main: SMOKE, 'holdfast-worker': 'holdfast/worker' })
  await bundleAsDocumented('esm')
}, 120_000)
afterAll(() => {
  built.remove()
  rmSync(space, { recursive: true, force: true })
})

async function bundle(format: Format, folder: string, entryPoints: Record<string, string>): Promise<void> {
  await build({
    absWorkingDir: built.folder,
    entryPoints,
    bundle: true,
    platform: 'node',
    format,
    outdir: join(space, folder),
    outExtension: format === 'esm' ? { '.js': '.mjs' } : {},
    ...(format === 'esm' && { banner: { js: BANNER } }),
    logLevel: 'error',
  })
}

/** With the script of docs/embedding.md as it stands there. */
async function bundleAsDocumented(folder: string): Promise<void> {
  const [, script] = /^```js\n([\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8'))!
  writeFileSync(join(built.folder, 'build.mjs'), script!)
  cpSync(join(built.folder, SMOKE), join(built.folder, 'main.mjs'))
  await built.node('build.mjs')
  cpSync(join(built.folder, 'dist'), join(space, folder), { recursive: true })
}

describe.for([
  ['esm', 'main.mjs', 'holdfast-worker.mjs'],
  ['cjs', 'main.js', 'holdfast-worker.js'],
] as const)('a bundle in the format %s', ([format, main, worker]) => {
  it('works on the main thread when its worker is missing, and says so', async () => {
    const outcome = await smoke([join(space, `${format}-alone`, main)], { cwd: space })
    expect(outcome).toEqual(INLINE)
    expect((outcome as typeof FINE).warnings[0]).toMatch(/bundle holdfast\/worker .* workerPool\(\{ file \}\)/)
  })

  it('finds its worker beside it', async () => {
    expect(await smoke([join(space, format, main)], { cwd: space })).toEqual(FINE)
  })

  it('finds its worker where the pool is told, by path or URL', async () => {
    const moved = join(space, `${format}-alone`, `worker elsewhere${extname(worker)}`)
    cpSync(join(space, format, worker), moved)
    for (const file of [moved, pathToFileURL(moved).href]) {
      expect(await smoke([join(space, `${format}-alone`, main), file], { cwd: space })).toEqual(FINE)
    }
  })
})

it('a bundle runs for a user without a home, whose only writable folder is the working one', async () => {
  const cwd = join(space, 'work')
  mkdirSync(cwd)
  cpSync(join(space, 'data'), join(cwd, 'data'), { recursive: true })
  const uid = process.getuid?.() === 0 ? NOBODY : undefined
  if (uid !== undefined)
    for (const name of ['', 'data', 'data/small.txt', 'data/large.bin']) chownSync(join(cwd, name), uid, uid)
  const folders = [space, join(space, 'esm')]
  for (const folder of folders) chmodSync(folder, 0o555)
  try {
    const env = { LANG: 'C', TZ: 'Asia/Kathmandu' }
    const host = { cwd, env, ...(uid !== undefined && { uid, gid: uid }) }
    expect(await smoke([join(space, 'esm/main.mjs')], host)).toEqual(FINE)
  } finally {
    for (const folder of folders) chmodSync(folder, 0o755)
  }
})

it('a worker of another version is not talked to', async () => {
  const source = join(space, 'esm/holdfast-worker.mjs')
  const other = join(space, 'other')
  cpSync(join(space, 'esm'), other, { recursive: true })
  writeFileSync(
    join(other, 'holdfast-worker.mjs'),
    readFileSync(source, 'utf8').replaceAll(`"${PROTOCOL_VERSION}"`, '"0.0.9"'),
  )
  const outcome = (await smoke([join(other, 'main.mjs')], { cwd: space })) as typeof FINE
  expect(outcome).toEqual({ ...INLINE, workers: true })
  expect(outcome.warnings[0]).toContain('another version: holdfast-worker 0.0.9')
})
