import { readdir } from 'node:fs/promises'
import { PassThrough, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryTarget, wrapTarget } from '../../../src/index.ts'
import { ZipGround } from './zip-support.ts'

let ground: ZipGround

beforeAll(async () => {
  ground = await ZipGround.make()
  await ground.fill()
  await ground.engine.backup()
})
afterAll(() => ground.close())

async function keys(target: ReturnType<typeof memoryTarget>): Promise<string[]> {
  const all: string[] = []
  for await (const { key } of target.list('')) all.push(key)
  return all
}

describe('an export that does not end well', { timeout: 60_000 }, () => {
  it.each([1, 2, 4, 6])('leaves no file when it is aborted at read %i', async (last) => {
    const controller = new AbortController()
    let reads = 0
    ground.onRead = () => {
      if (++reads === last) controller.abort()
    }
    const path = ground.at('aborted.zip')
    const exporting = ground.engine.exportZip({
      snapshot: 'latest',
      to: { path },
      signal: controller.signal,
    })
    await expect(exporting).rejects.toMatchObject({ code: 'ABORTED' })
    expect(reads).toBeGreaterThanOrEqual(last)
    expect((await readdir(ground.root)).sort()).toEqual(['tree'])
  })

  it('leaves no object on a target that fails in the middle', async () => {
    const inner = memoryTarget()
    const target = wrapTarget(inner, {
      put: async (key, body, options) => {
        await inner.put(key, body, options)
        if (key.endsWith('.002')) throw new Error('the answer is lost')
        return true
      },
    })
    const exporting = ground.engine.exportZip({ snapshot: 'latest', to: { target, key: 'k' }, maxVolumeBytes: 2 ** 20 })
    await expect(exporting).rejects.toThrow()
    expect(await keys(inner)).toEqual([])
  })

  it('fails when its stream does, and waits for a slow one', async () => {
    let taken = 0
    const failing = new Writable({
      write: (chunk: Buffer, _, done) => {
        taken += chunk.length
        done(taken > 2_000_000 ? new Error('full') : null)
      },
    })
    const exporting = ground.engine.exportZip({ snapshot: 'latest', to: { stream: failing } })
    await expect(exporting).rejects.toMatchObject({ code: 'RESTORE_UNREACHABLE', origin: 'sink' })
    const slow = new PassThrough()
    const pieces: Buffer[] = []
    const [result] = await Promise.all([
      ground.engine.exportZip({ snapshot: 'latest', to: { stream: slow } }),
      (async () => {
        for await (const piece of slow) pieces.push(piece as Buffer)
      })(),
    ])
    expect(Buffer.concat(pieces).length).toBe(result.bytes)
  })

  it('never goes over something that is there', async () => {
    const path = ground.at('tree/noise')
    const exporting = ground.engine.exportZip({ snapshot: 'latest', to: { path } })
    await expect(exporting).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' })
  })
})
