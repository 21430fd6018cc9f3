/** The built package in processes of many kinds. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, installBuilt, ROOT } from '../built-package.ts'
import { FINE, lines, prepare, SMOKE, smoke } from './support.ts'

const NODES = join(import.meta.dirname, 'nodes')
let built: Installed

beforeAll(async () => {
  built = await installBuilt()
  prepare(built.folder)
}, 120_000)
afterAll(() => built.remove())

const host = (env: NodeJS.ProcessEnv = {}) => ({ cwd: built.folder, env: { ...process.env, ...env } })

function write(name: string, code: string): string {
  writeFileSync(join(built.folder, name), code)
  return name
}

describe('Node', () => {
  const { dependencies } = JSON.parse(readFileSync(join(NODES, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const names = Object.keys(dependencies)

  beforeAll(async () => {
    if (names.every((name) => existsSync(join(NODES, 'node_modules', name, 'bin/node')))) return
    const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--no-bin-links']
    await promisify(execFile)('npm', args, { cwd: NODES, timeout: 150_000 })
  }, 160_000)

  it.for(names)('%s does all that is asked, and prints no warning', async (name) => {
    const program = join(NODES, 'node_modules', name, 'bin/node')
    expect(await lines(['--version'], { ...host(), program })).toEqual([`v${dependencies[name]!.split('@')[1]}`])
    expect(await smoke([SMOKE], { ...host(), program })).toEqual(FINE)
    const required = write('required.cjs', "console.log(typeof require('holdfast').BackupEngine.open)")
    expect(await lines([required], { ...host(), program })).toEqual(['function'])
  })

  it('with one processor has one worker', async () => {
    const code = `
      import { availableParallelism } from 'node:os'
      let workers = 0
      process.on('worker', () => workers++)
      process.on('exit', () => console.log(availableParallelism(), workers))
      await import('./${SMOKE}')`
    const script = write('counted.mjs', code)
    const printed = await lines(['-c', '0', process.execPath, script], { ...host(), program: 'taskset' })
    expect([JSON.parse(printed[0]!), printed[1]]).toEqual([FINE, '1 1'])
  })

  it('under tsx runs a script in TypeScript', async () => {
    const script = write('smoke.ts', `const name: string = './${SMOKE}'\nvoid import(name)`)
    expect(await smoke([join(ROOT, 'node_modules/tsx/dist/cli.mjs'), script], host())).toEqual(FINE)
  })
})

describe('what the host preloads', () => {
  const preload = (name: string, code: string) =>
    write(
      `${name}.mjs`,
      `import { isMainThread } from 'node:worker_threads'\nimport { register } from 'node:module'\n${code}`,
    )
  const cases: [does: string, code: string, printed: readonly string[]][] = [
    ['prints', "console.log('main', isMainThread)", ['main true']],
    ['fails in workers', "if (!isMainThread) throw new Error('not here')", []],
    ['hooks modules', "register('data:text/javascript,export const load=(url,context,next)=>next(url,context)')", []],
  ]

  it.for(cases)('stays out of the workers, when it %s', async ([does, code, printed]) => {
    const file = `./${preload(does.replaceAll(' ', '-'), code)}`
    const said = await lines([SMOKE], host({ NODE_OPTIONS: `--import ${file}` }))
    expect([...said.slice(0, -1), JSON.parse(said.at(-1)!)]).toEqual([...printed, FINE])
  })

  it('stays out of the workers, when it is named on the command line', async () => {
    const file = `./${preload('named', "if (!isMainThread) throw new Error('not here')")}`
    expect(await smoke(['--import', file, SMOKE], host())).toEqual(FINE)
  })

  it('takes settings of memory', async () => {
    expect(await smoke([SMOKE], host({ NODE_OPTIONS: '--max-old-space-size=200' }))).toEqual(FINE)
  })

  it('takes a debugger, which listens once', async () => {
    const said = await lines([SMOKE], host({ NODE_OPTIONS: '--inspect=0' }))
    expect(said.filter((line) => line.startsWith('Debugger listening'))).toHaveLength(1)
    expect(JSON.parse(said.at(-1)!)).toEqual(FINE)
  })

  it('may forbid workers and programs, which costs threads and no backup', async () => {
    const code = `
      import { BackupEngine, filesystem, memoryTarget, rawKey } from 'holdfast'
      const sources = [filesystem({ name: 'data', path: 'data' })]
      const engine = await BackupEngine.open({ target: memoryTarget(), key: rawKey(new Uint8Array(32)), sources })
      const { warnings } = await engine.backup()
      console.log(warnings.map(({ code }) => code).sort().join(), (await engine.verify({ level: 'content' })).sound)
      await engine.close()`
    const permissions = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']
    const said = await lines([...permissions, write('forbidden.mjs', code)], host())
    expect(said).toEqual(['WORKERS_UNAVAILABLE,XATTRS_NOT_READ true'])
  })
})

describe('a host', () => {
  it('may be a worker thread itself', async () => {
    const code = `
      import { isMainThread, Worker } from 'node:worker_threads'
      if (isMainThread) new Worker(new URL(import.meta.url), { argv: [] })
      else await import('./${SMOKE}')`
    expect(await smoke([write('inner.mjs', code)], host())).toEqual(FINE)
  })

  it('may be a cluster, each of whose processes has its own engine', async () => {
    const code = `
      import cluster from 'node:cluster'
      if (cluster.isPrimary) for (let n = 0; n < 2; n++) cluster.fork()
      else {
        await (await import('./${SMOKE}')).done
        process.disconnect()
      }`
    const said = await lines([write('cluster.mjs', code)], host())
    expect(said.map((line) => JSON.parse(line))).toEqual([FINE, FINE])
  })

  it('may load two copies of the package, which work side by side on one repository', async () => {
    const code = `
      import fs from 'node:fs'
      fs.cpSync('node_modules/holdfast', 'node_modules/other', { recursive: true })
      const copies = await Promise.all([import('holdfast'), import('./node_modules/other/dist/index.js')])
      const open = ({ BackupEngine, filesystem, localTarget, rawKey }) => BackupEngine.open({
        target: localTarget('both'), key: rawKey(new Uint8Array(32)),
        sources: [filesystem({ name: 'data', path: 'data', xattrs: false })],
      })
      const engines = [await open(copies[0]), await open(copies[1])]
      const results = await Promise.all(engines.map((engine) => engine.backup()))
      console.log(results.flatMap(({ warnings }) => warnings).length, (await engines[0].snapshots().toArray()).length)
      const error = await engines[1].backup({ tags: 1 }).catch((error) => error)
      console.log(error instanceof copies[0].BackupError, copies[0].BackupError.is(error))
      await Promise.all(engines.map((engine) => engine.close()))`
    expect(await lines([write('two.mjs', code)], host())).toEqual(['0 2', 'false true'])
  })

  it('may exit in the middle of a backup, and leaves nothing locked', async () => {
    const open = `
      import { BackupEngine, filesystem, localTarget, rawKey } from 'holdfast'
      const engine = await BackupEngine.open({
        target: localTarget('left'), key: rawKey(new Uint8Array(32)),
        sources: [filesystem({ name: 'data', path: 'data', xattrs: false })],
      })`
    const exit = `engine.on('backup:progress', () => process.exit(7))\nawait engine.backup()`
    await expect(lines([write('exits.mjs', `${open}\n${exit}`)], host())).rejects.toMatchObject({ code: 7 })
    const next = `
      const began = performance.now()
      const { warnings } = await engine.backup()
      await engine.prune(await engine.planPrune())
      console.log(warnings.length, performance.now() - began < 10_000, (await engine.verify({ level: 'content' })).sound)
      await engine.close()`
    expect(await lines([write('next.mjs', `${open}\n${next}`)], host())).toEqual(['0 true true'])
  })
})
