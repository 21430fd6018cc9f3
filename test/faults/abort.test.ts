/** Backups, and other verbs, that are stopped at any point: they end at once, say why, and leave nothing behind. */
import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type BackupEngine, localTarget, memoryTarget, wrapTarget } from '../../src/index.ts'
import { patience } from '../patience.ts'
import {
  changeTree,
  codeOf,
  copyOf,
  expectSound,
  file,
  ids,
  keysBelow,
  look,
  makeTree,
  noise,
  openOn,
  restored,
  scratch,
} from './support.ts'
import { abortAt, abortEverywhere, openFiles, prepared, processListeners, THREADS, tripping } from './tripping.ts'

const folder = scratch()
const source = (): string => folder.at('source')

describe('a backup that is aborted', () => {
  for (const workers of ['inline', undefined] as const) {
    it(`stops, commits nothing and leaves no trace, ${workers ?? 'with threads'}`, async () => {
      const { engine, inner, target } = await prepared(source(), workers ? { workers } : THREADS)
      const first = (await engine.backup()).snapshot.id
      changeTree(source())
      const files = openFiles()
      const listeners = processListeners()
      let committed = 0
      let round = 0
      const stopped = await abortEverywhere(
        target,
        (signal) => {
          file(folder.at('source', 'changing'), noise(300_000, 50 + round++))
          return engine.backup({ ...(signal && { signal }) })
        },
        async ({ code }) => {
          const snapshots = keysBelow(inner, 'snapshots/')
          // An abort that comes after the commit may be heard or not; before it, nothing is there.
          if (code === 'resolved') committed = snapshots.length
          expect(keysBelow(inner, 'runs/')).toEqual([])
          expect(engine.runs()).toEqual([])
          expect(await ids(engine)).toContain(first)
        },
      )
      expect(stopped).toBeGreaterThan(5)
      expect(committed).toBeGreaterThan(0)
      expect(openFiles()).toBeLessThanOrEqual(files)
      expect(processListeners()).toBe(listeners)
      const { snapshot } = await engine.backup()
      expect(await restored(engine, snapshot.id, folder.path)).toEqual(look(source()))
      await expectSound(engine)
      await engine.close()
    })
  }

  it('in the middle of a long read stops within a second too, and leaves no temporary object', async () => {
    makeTree(source(), 150_000_000)
    const engine = await openOn(localTarget(folder.at('repository')), source(), THREADS)
    for (const ms of [1, 30, 150, 300]) {
      const controller = new AbortController()
      let abortedAt = 0
      setTimeout(() => {
        abortedAt = performance.now()
        controller.abort(new Error('enough'))
      }, ms)
      expect(await codeOf(engine.backup({ signal: controller.signal }))).toBe('ABORTED')
      expect(performance.now() - abortedAt).toBeLessThan(patience(1000))
    }
    const left = readdirSync(folder.at('repository'), { recursive: true, withFileTypes: true })
    const strange = left.filter(
      (each) =>
        each.isFile() && each.name !== '.reserve' && !/^([0-9a-f]{32,64}|\d{8,}[-\w]*|[0-9a-z]{1,40})$/.test(each.name),
    )
    expect(strange.map(({ name }) => name)).toEqual([])
    expect(left.filter(({ parentPath, isFile }) => parentPath.endsWith('/runs') && isFile)).toEqual([])
    expect(await ids(engine)).toEqual([])
    await engine.close()
  })

  it('before it began does nothing at all', async () => {
    const { engine, target, inner } = await prepared(source())
    const before = [...inner.objects.keys()]
    target.arm(1, () => {})
    expect(await codeOf(engine.backup({ signal: AbortSignal.abort() }))).toBe('ABORTED')
    expect(target.seen).toBe(0)
    expect([...inner.objects.keys()]).toEqual(before)
    await engine.close()
  })
})

describe('other verbs', () => {
  const verbs: Record<string, (engine: BackupEngine, signal: AbortSignal | undefined) => Promise<unknown>> = {
    planRestore: (engine, signal) =>
      engine.planRestore({ snapshot: 'latest', to: { folder: folder.at('to') }, ...(signal && { signal }) }),
    'verify of structure': (engine, signal) => engine.verify({ ...(signal && { signal }) }),
    'verify of data': (engine, signal) => engine.verify({ level: 'data', ...(signal && { signal }) }),
    diff: async (engine, signal) => {
      const [head, base] = await ids(engine)
      return engine.diff({ base: base!, head: head!, ...(signal && { signal }) })
    },
  }
  for (const [name, verb] of Object.entries(verbs)) {
    it(`${name} stops when it is aborted`, async () => {
      const { engine, inner } = await prepared(source())
      await engine.backup()
      changeTree(source())
      await engine.backup()
      await engine.close()
      const files = openFiles()
      let stopped = 0
      for (let n = 1; ; n++) {
        // A copy, since each run leaves its report; a new engine, since that has to load the index.
        const copy = await copyOf(inner)
        const target = tripping(copy)
        const fresh = await openOn(target, source())
        const { code, ms } = await abortAt(target, n, (signal) => verb(fresh, signal))
        const { seen } = target
        await fresh.close()
        if (seen < n) break
        expect(['ABORTED', 'resolved']).toContain(code)
        expect(ms).toBeLessThan(patience(1000))
        if (code === 'ABORTED') stopped++
        const added = [...copy.objects.keys()].filter((key) => !inner.objects.has(key))
        expect(added.filter((key) => !/^(reports|state|notes)\//.test(key))).toEqual([])
      }
      expect(stopped).toBeGreaterThan(1)
      expect(openFiles()).toBeLessThanOrEqual(files)
      expect(existsSync(folder.at('to'))).toBe(false)
    })
  }
})

describe('limits', () => {
  it('timeoutMs is TIMEOUT, which may be tried again', async () => {
    makeTree(source(), 60_000_000)
    const inner = memoryTarget()
    const slow = wrapTarget(inner, {
      put: async (key: string, body: Uint8Array<ArrayBuffer>, call?: object) => {
        if (key.startsWith('packs/')) await new Promise((resolve) => setTimeout(resolve, 300))
        return inner.put(key, body, call)
      },
    })
    const engine = await openOn(slow, source())
    await expect(engine.backup({ timeoutMs: 150 })).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true })
    expect(keysBelow(inner, 'runs/')).toEqual([])
    expect(keysBelow(inner, 'snapshots/')).toEqual([])
    await engine.close()
  })

  it.each([
    ['maxStoredBytes', { maxStoredBytes: 1_000_000 }],
    ['maxSourceBytes', { maxSourceBytes: 1_000_000 }],
  ])('%s is LIMIT_EXCEEDED, and nothing is committed', async (_, limit) => {
    const { engine, inner } = await prepared(source())
    await expect(engine.backup(limit)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      origin: 'usage',
      hint: expect.stringMatching(/Nothing was committed/),
    })
    expect(keysBelow(inner, 'runs/')).toEqual([])
    expect(keysBelow(inner, 'snapshots/')).toEqual([])
    const { snapshot } = await engine.backup({ maxStoredBytes: 50_000_000, maxSourceBytes: 50_000_000 })
    expect(await restored(engine, snapshot.id, folder.path)).toEqual(look(source()))
    await engine.close()
  })
})

describe('closing the engine during a run', () => {
  it('aborts the run, and leaves nothing', async () => {
    makeTree(source(), 80_000_000)
    const inner = memoryTarget()
    const engine = await openOn(inner, source(), THREADS)
    const running = codeOf(engine.backup())
    await new Promise((resolve) => setTimeout(resolve, 60))
    const began = performance.now()
    await engine.close()
    expect(performance.now() - began).toBeLessThan(patience(2000))
    expect(await running).toBe('ABORTED')
    expect(keysBelow(inner, 'runs/')).toEqual([])
    expect(keysBelow(inner, 'snapshots/')).toEqual([])
    const again = await openOn(await copyOf(inner), source())
    await again.backup()
    await again.close()
  })
})
