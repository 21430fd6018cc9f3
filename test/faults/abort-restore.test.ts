/** Restores that are stopped at any point: the destination is as it was. */
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { memoryTarget, type RestorePlan } from '../../src/index.ts'
import { patience } from '../patience.ts'
import { changeTree, codeOf, file, makeTree, openOn, scratch } from './support.ts'
import { abortEverywhere, openFiles, prepared, THREADS } from './tripping.ts'

const folder = scratch()
const source = (): string => folder.at('source')

/** The hidden folder is there, which gets its name at the end. */
const isUnderWay = (to: string): boolean => existsSync(to) && readdirSync(to).length > 0

describe('a restore that is aborted', () => {
  it.each(['new', 'empty'] as const)('leaves a %s destination as it was', async (kind) => {
    const { engine, target } = await prepared(source(), THREADS)
    changeTree(source())
    const { snapshot } = await engine.backup()
    const to = folder.at('to', 'deep')
    if (kind === 'empty') {
      mkdirSync(folder.at('to', 'deep', 'data'), { recursive: true, mode: 0o711 })
      utimesSync(folder.at('to', 'deep', 'data'), 1_500_000_000, 1_500_000_000)
    }
    const plan = await engine.planRestore({ snapshot: snapshot.id, to: { folder: to } })
    const files = openFiles()
    const stopped = await abortEverywhere(
      target,
      (signal) => engine.restore(plan, { ...(signal && { signal }), verify: false }),
      async ({ code }) => {
        // The last operation is its report: too late to stop it.
        if (code === 'resolved') return
        if (kind === 'new') expect(existsSync(folder.at('to'))).toBe(false)
        else {
          expect(readdirSync(folder.at('to', 'deep', 'data'))).toEqual([])
          expect(statSync(folder.at('to', 'deep', 'data')).mtimeMs).toBe(1_500_000_000_000)
        }
        expect(openFiles()).toBeLessThanOrEqual(files)
      },
    )
    expect(stopped).toBeGreaterThan(2)
    await engine.close()
  })

  it('in the middle of writing many files takes all of them away', async () => {
    for (let i = 0; i < 3000; i++) file(folder.at('source', `f${i % 50}`, `g${i % 7}`, `${i}`), `content ${i}`)
    const engine = await openOn(memoryTarget(), source(), THREADS)
    const { snapshot } = await engine.backup()
    const plan = await engine.planRestore({ snapshot: snapshot.id, to: { folder: folder.at('to') } })
    for (const ms of [0, 3, 10, 30]) {
      const controller = new AbortController()
      const running = codeOf(engine.restore(plan, { signal: controller.signal, verify: true }))
      while (!isUnderWay(folder.at('to'))) await new Promise((resolve) => setTimeout(resolve, 1))
      await new Promise((resolve) => setTimeout(resolve, ms))
      const abortedAt = performance.now()
      controller.abort()
      expect(await running).toBe('ABORTED')
      expect(performance.now() - abortedAt).toBeLessThan(patience(1000))
      expect(existsSync(folder.at('to'))).toBe(false)
    }
    await engine.close()
  })
})

describe('closing the engine during a restore', () => {
  it('lets a restore undo what it made', async () => {
    makeTree(source(), 20_000_000)
    const engine = await openOn(memoryTarget(), source(), THREADS)
    const { snapshot } = await engine.backup()
    const plan: RestorePlan = await engine.planRestore({ snapshot: snapshot.id, to: { folder: folder.at('to') } })
    const running = codeOf(engine.restore(plan))
    while (!existsSync(folder.at('to'))) await new Promise((resolve) => setTimeout(resolve, 1))
    await engine.close()
    expect(await running).toBe('ABORTED')
    expect(existsSync(folder.at('to'))).toBe(false)
  })
})
