/** Repositories on mirrored targets: what is left when one of two is gone, lags, is damaged, or the process is killed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  BackupEngine,
  type BackupError,
  filesystem,
  localTarget,
  memoryTarget,
  mirrored,
  rawKey,
  type Target,
} from '../../../src/index.ts'
import { switched } from './mirror-support.ts'

const KEY = new Uint8Array(32).fill(7)
const CHILD = join(import.meta.dirname, 'mirror-child.ts')

let root: string
const at = (...path: string[]): string => join(root, ...path)

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-mirrored-'))
  await mkdir(at('source/folder'), { recursive: true })
  for (let i = 0; i < 30; i++) await writeFile(at(`source/folder/${i}`), `content ${i} `.repeat(1000 * i))
})
afterEach(() => rm(root, { recursive: true }))

const open = (target: Target, create: 'if-empty' | 'never' = 'if-empty'): Promise<BackupEngine> =>
  BackupEngine.open({
    target,
    key: rawKey(KEY),
    workers: 'inline',
    create,
    sources: [filesystem({ name: 'data', path: at('source') })],
  })

async function restores(engine: BackupEngine, snapshot: string, to: string): Promise<void> {
  await engine.restore(await engine.planRestore({ snapshot, to: { folder: at(to) } }))
  for (const name of await readdir(at('source/folder'))) {
    expect(await readFile(at(to, 'data/folder', name)), name).toEqual(await readFile(at('source/folder', name)))
  }
}

describe('a repository on mirrored targets', { timeout: 60_000 }, () => {
  it('is restored while the first target is dead, and from the second alone', async () => {
    const first = switched('first')
    const second = memoryTarget()
    const writer = await open(mirrored([first.target, second]))
    const { snapshot } = await writer.backup()
    first.isDead = true
    await restores(writer, snapshot.id, 'through-the-open-one')
    await expect(writer.backup()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    await restores(await open(mirrored([first.target, second]), 'never'), snapshot.id, 'through-a-new-one')
    await restores(await open(second, 'never'), snapshot.id, 'alone')
    first.isDead = false
    await writeFile(at('source/folder/later'), 'more')
    const { snapshot: later } = await writer.backup()
    await restores(await open(second, 'never'), later.id, 'again')
  })

  it('goes on with a dead mirror where the quorum allows it, which is whole again when it is healed', async () => {
    const first = memoryTarget()
    const second = switched('second')
    const lags: string[] = []
    const target = mirrored([first, second.target], { writeQuorum: 1, onLag: ({ keys }) => void lags.push(...keys) })
    const engine = await open(target)
    await engine.backup()
    second.isDead = true
    await writeFile(at('source/folder/later'), 'while it was dead')
    const { snapshot } = await engine.backup()
    expect(lags).toContain(`snapshots/${snapshot.id}`)
    expect(target.lagging).toEqual(['second'])
    second.isDead = false
    expect((await target.heal({ extra: 'delete' })).copied).toBeGreaterThan(2)
    expect([...second.objects.keys()].sort()).toEqual([...first.objects.keys()].sort())
    const alone = await open(second.memory, 'never')
    await restores(alone, snapshot.id, 'alone')
    expect((await alone.verify({ level: 'data' })).findings).toEqual([])
  })

  it('is made whole by a mirror where packs of the first one are damaged or lost', async () => {
    const [first, second] = [memoryTarget(), memoryTarget()]
    const target = mirrored([first, second])
    const engine = await open(target)
    const { snapshot } = await engine.backup()
    const [pack] = [...first.objects.keys()].filter((key) => key.startsWith('packs/'))
    const bytes = await first.get(pack!)
    bytes[1000]! ^= 1
    await first.put(pack!, bytes)
    expect((await engine.verify({ level: 'data' })).sound).toBe(false)
    expect(await target.heal({ compare: 'bytes' })).toMatchObject({ repaired: 1, damaged: [] })
    expect((await engine.verify({ level: 'data' })).findings).toEqual([])
    await first.delete([pack!])
    await restores(engine, snapshot.id, 'from-the-mirror')
    expect((await engine.verify()).sound, 'verify says what the first one lacks').toBe(false)
    expect(await mirrored([second, first]).heal()).toMatchObject({ copied: 1 })
    expect((await engine.verify({ level: 'data' })).findings).toEqual([])
  })

  it('does not mistake another repository for a mirror', async () => {
    const [first, second] = [memoryTarget(), memoryTarget()]
    const { snapshot } = await (await open(second)).backup()
    const before = new Map(second.objects)
    await expect(open(mirrored([first, second]))).rejects.toMatchObject({ origin: 'target' })
    await expect(mirrored([first, second]).heal({ extra: 'delete' })).rejects.toSatisfy(
      (error: BackupError) => error.code === 'REPOSITORY_FOREIGN',
    )
    for (const [key, bytes] of before) expect(second.objects.get(key), key).toEqual(bytes)
    await restores(await open(second, 'never'), snapshot.id, 'still-there')
  })
})

describe('processes on mirrored folders', { timeout: 120_000 }, () => {
  it('race for an object, and one of them gets it', async () => {
    const racing = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [CHILD, 'race', at('first'), at('second'), '40']),
    )
    const racers = (await Promise.all(racing)).map(({ stdout }) => JSON.parse(stdout) as { pid: number; won: number[] })
    expect(racers.flatMap(({ won }) => won).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i))
    for (const { pid, won } of racers) {
      for (const round of won) {
        for (const folder of ['first', 'second']) {
          expect(await readFile(at(folder, 'snapshots', String(round)), 'utf8')).toBe(String(pid))
        }
      }
    }
  })

  it('may be killed in the middle of a write: both are sound, and heal makes them the same', async () => {
    for (const quorum of [1, 2]) {
      for (const delayMs of [20, 90]) {
        const [first, second] = [at(`first-${quorum}-${delayMs}`), at(`second-${quorum}-${delayMs}`)]
        const child = spawn(process.execPath, [CHILD, 'backup', first, second, at('source'), String(quorum)])
        const committed = await killedAfter(child, delayMs)
        const target = mirrored([localTarget(first), localTarget(second)])
        const { damaged } = await target.heal({ compare: 'bytes', extra: 'delete' })
        expect(damaged).toEqual([])
        expect(await keysIn(second)).toEqual(await keysIn(first))
        const alone = await open(localTarget(second), 'never')
        for (const id of committed) await alone.snapshot(id)
        await restores(alone, 'latest', `restored-${quorum}-${delayMs}`)
        expect((await alone.verify({ level: 'data' })).findings).toEqual([])
        await alone.close()
      }
    }
  })
})

/** Ids of the snapshots that it said it had made, when it is killed some time after the first. */
async function killedAfter(child: ChildProcess, delayMs: number): Promise<string[]> {
  let said = ''
  const hasCommitted = new Promise<void>((resolve) => {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.split('\n').length > 2) resolve()
    })
  })
  const ended = new Promise((resolve) => child.on('close', (_, by) => resolve(by)))
  await Promise.race([hasCommitted, ended])
  await sleep(delayMs)
  child.kill('SIGKILL')
  expect(await ended).toBe('SIGKILL')
  return said.split('\n').slice(1, -1)
}

async function keysIn(folder: string): Promise<string[]> {
  const keys: string[] = []
  const target = localTarget(folder)
  for await (const { key } of target.list('')) keys.push(key)
  await target.close()
  return keys.sort()
}
