/** What only a process of its own can show: that it exits, and that the built package and bundles find the worker. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import config from '../../../tsup.config.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const source = join(root, 'src/workers/threads/pool.ts')
let folder = ''

beforeAll(async () => {
  // Below node_modules, so that the built files find the packages they import.
  folder = await mkdtemp(join(root, 'node_modules/.holdfast-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Leases a thread of the pool in `file`, has it echo, runs `end`, and says what happened. */
async function inProcess(file: string, end: string, name = 'main.mjs') {
  const script = `
    import { acquirePool } from ${JSON.stringify(file)}
    const handle = acquirePool(undefined, (warning) => console.log(warning.code))
    const lease = await handle.lease()
    const session = await lease.threads[0].open('test:echo', {}, {})
    console.log(lease.threads[0].inline, await session.call('x', 'echoed'))
    ${end}`
  await writeFile(join(folder, name), script)
  const { stdout } = await run(process.execPath, [join(folder, name)], { timeout: 10_000 })
  return stdout.trim().split('\n')
}

describe('a process', () => {
  it('exits by itself once its leases are released', async () => {
    expect(await inProcess(source, 'lease.release()')).toEqual(['false echoed'])
  })

  it('exits by itself once the pool is closed', async () => {
    expect(await inProcess(source, 'await handle.close()')).toEqual(['false echoed'])
  })

  it('exits by itself although an eager pool was begun, and never used', async () => {
    const script = `
      import { workerPool } from ${JSON.stringify(source)}
      workerPool({ eager: true })
      console.log('made')`
    await writeFile(join(folder, 'eager.mjs'), script)
    const { stdout } = await run(process.execPath, [join(folder, 'eager.mjs')], { timeout: 25_000 })
    expect(stdout).toBe('made\n')
  })

  it('stays while it waits for a worker', async () => {
    const end = `const again = await handle.lease(); lease.release()
      setTimeout(async () => { console.log(await session.call('x', 'late')); again.release() }, 100).unref()`
    expect(await inProcess(source, end)).toEqual(['false echoed', 'late'])
  })
})

describe('a build', () => {
  const quiet = { config: false, dts: false, sourcemap: false, silent: true } as const

  it('of the package starts its own worker file, also from a chunk', async () => {
    const { 'holdfast-worker': worker } = (config as { entry: Record<string, string> }).entry
    const entry = { first: source, second: source, 'holdfast-worker': join(root, worker!) }
    await build({ ...config, ...quiet, clean: false, entry, outDir: join(folder, 'dist') })
    expect(await inProcess(join(folder, 'dist/second.js'), 'await handle.close()')).toEqual(['false echoed'])
  })

  it('into one CommonJS file still loads, and works inline with a warning', async () => {
    const entry = { bundle: source }
    const format = 'cjs' as const
    await build({ ...config, ...quiet, clean: false, splitting: false, format, entry, outDir: join(folder, 'cjs') })
    const lines = await inProcess(join(folder, 'cjs/bundle.cjs'), 'await handle.close()')
    expect(lines).toEqual(['WORKERS_UNAVAILABLE', 'true echoed'])
  })
})
