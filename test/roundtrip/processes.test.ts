/** Several engines and several processes on one repository, and processes that are killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { localTarget, memoryTarget } from '../../src/index.ts'
import { countingTarget } from '../../src/testing/index.ts'
import {
  changeTree,
  expectSound,
  file,
  ids,
  look,
  makeTree,
  noise,
  openOn,
  restored,
  scratch,
} from '../faults/support.ts'

const space = scratch()
const source = (...names: string[]): string => space.at('source', ...names)
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

function startChild(repository: string, from: string): ChildProcess {
  return spawn(process.execPath, [CHILD, repository, from], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function finished(child: ChildProcess): Promise<{ id: string; code: number | null; errors: string }> {
  let id = ''
  let errors = ''
  child.stdout!.on('data', (text) => {
    id += text
  })
  child.stderr!.on('data', (text) => {
    errors += text
  })
  const [code] = await once(child, 'close')
  return { id, code, errors }
}

describe('at once', () => {
  it('two engines in one process both succeed', async () => {
    makeTree(source(), 3_000_000)
    makeTree(space.at('other'), 2_000_000)
    changeTree(space.at('other'))
    const target = memoryTarget()
    await (await openOn(target, source())).close()
    const engines = await Promise.all([
      openOn(target, source(), { host: 'one', workers: undefined as never }),
      openOn(target, space.at('other'), { host: 'two', workers: undefined as never }),
    ])
    const results = await Promise.all(engines.map((engine) => engine.backup()))
    for (const [i, root] of [source(), space.at('other')].entries()) {
      expect(await restored(engines[i]!, results[i]!.snapshot.id, space.path)).toEqual(look(root))
    }
    await Promise.all(engines.map(expectSound))
    for (const engine of engines) await engine.close()
  })

  it('two backups of one engine wait for each other, and both succeed', async () => {
    makeTree(source(), 1_000_000)
    const engine = await openOn(memoryTarget(), source())
    const [a, b] = await Promise.all([engine.backup(), engine.backup()])
    expect(a.snapshot.id).not.toBe(b.snapshot.id)
    for (const { snapshot } of [a, b]) expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    await engine.close()
  })

  it('two processes into a place where there was nothing both succeed', async () => {
    makeTree(source(), 4_000_000)
    makeTree(space.at('other'), 4_000_000)
    changeTree(space.at('other'))
    const repository = space.at('repository')
    const children = [startChild(repository, source()), startChild(repository, space.at('other'))]
    const outcomes = await Promise.all(children.map(finished))
    expect(outcomes.map(({ code, errors }) => [code, errors.replace(/.*Warning.*\n/g, '')])).toEqual([
      [0, ''],
      [0, ''],
    ])
    const engine = await openOn(localTarget(repository), source())
    expect(await ids(engine)).toHaveLength(2)
    expect(await restored(engine, outcomes[0]!.id, space.path)).toEqual(look(source()))
    expect(await restored(engine, outcomes[1]!.id, space.path)).toEqual(look(space.at('other')))
    await expectSound(engine)
    await engine.close()
  })
})

const packsIn = (repository: string): string[] =>
  existsSync(`${repository}/packs`)
    ? readdirSync(`${repository}/packs`, { recursive: true, withFileTypes: true }).flatMap((each) =>
        each.isFile() ? [each.name] : [],
      )
    : []

const countIn = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0)

describe('a process that is killed', () => {
  it('in the middle of a backup costs only what came after its last checkpoint', async () => {
    makeTree(source(), 1_000_000)
    const repository = space.at('repository')
    for (let i = 0; i < 12; i++) file(source('huge', `${i}`), noise(16_000_000, 40 + i))
    const child = startChild(repository, source())
    const closed = once(child, 'exit')
    // The first fragment is the first checkpoint.
    while (countIn(`${repository}/index`) < 1 && child.exitCode === null)
      await new Promise((done) => setTimeout(done, 2))
    child.kill('SIGKILL')
    await closed
    expect(child.signalCode).toBe('SIGKILL')
    const before = packsIn(repository)
    expect(before.length).toBeGreaterThanOrEqual(6)

    const target = countingTarget(localTarget(repository, { fsync: false }))
    const engine = await openOn(target, source())
    expect(await ids(engine)).toEqual([])
    const { snapshot, counts } = await engine.backup()
    const stored = counts.newBytes
    expect(stored).toBeGreaterThan(0)
    expect(counts.sourceBytes - stored).toBeGreaterThan(40_000_000)
    expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    await expectSound(engine)
    await engine.close()
    expect(packsIn(repository)).toEqual(expect.arrayContaining(before))
  })

  it('at any moment leaves a repository that works', async () => {
    makeTree(source(), 6_000_000)
    const repository = space.at('repository')
    const whole = Date.now()
    expect(await finished(startChild(repository, source()))).toMatchObject({ code: 0 })
    const took = Date.now() - whole
    const before = look(source())
    const engine = await openOn(localTarget(repository), source())
    const [first] = await ids(engine)
    writeFileSync(source('more'), noise(9_000_000, 70))
    for (const share of [0.5, 0.7, 0.85, 0.95]) {
      const child = startChild(repository, source())
      const closed = once(child, 'exit')
      await new Promise((done) => setTimeout(done, took * share))
      child.kill('SIGKILL')
      await closed
      expect(await restored(engine, first!, space.path)).toEqual(before)
      for (const id of await ids(engine)) {
        if (id !== first) expect(await restored(engine, id, space.path)).toEqual(look(source()))
      }
    }
    const { snapshot } = await engine.backup()
    expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    await expectSound(engine)
    await engine.close()
  })
})
