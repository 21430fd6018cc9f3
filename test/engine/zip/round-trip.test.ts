import { createReadStream } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ZipOrigin } from '../../../src/index.ts'
import { memoryTarget } from '../../../src/index.ts'
import { inventory, run, ZipGround } from './zip-support.ts'

let ground: ZipGround
let before: string

beforeAll(async () => {
  ground = await ZipGround.make()
  await ground.fill()
  await ground.engine.backup({ name: 'the one', tags: ['a'], labels: { app: '1' }, description: 'all of it' })
  await ground.engine.exportZip({ snapshot: 'latest', to: { path: ground.at('out.zip') } })
  const plan = await ground.engine.planRestore({ snapshot: 'latest', to: { folder: ground.at('direct') } })
  await ground.engine.restore(plan)
  before = await inventory(ground.at('direct/docs'))
})
afterAll(() => ground.close())

async function restored(from: ZipOrigin, folder: string): Promise<string> {
  const { snapshot } = await ground.other.importZip({ from })
  expect(snapshot).toMatchObject({ kind: 'import', name: 'the one', tags: ['a'], labels: { app: '1' }, complete: true })
  const plan = await ground.other.planRestore({ snapshot: snapshot.id, to: { folder: ground.at(folder) } })
  await ground.other.restore(plan)
  // To the nanosecond, which a restore does not reach.
  const again = ground.at(`${folder}.zip`)
  await ground.other.exportZip({ snapshot: snapshot.id, to: { path: again } })
  expect(await entryLines(again)).toEqual(await entryLines(ground.at('out.zip')))
  return inventory(ground.at(folder, 'docs'))
}

async function entryLines(zip: string): Promise<string[]> {
  const { stdout } = await run('unzip', ['-p', zip, 'metadata.json'])
  const lines = stdout.split('\n')
  expect(lines.length).toBe(12 + 6)
  return lines.slice(2)
}

describe('export, import and restore', { timeout: 60_000 }, () => {
  it('gives the very same tree: modes, owners, times, links, names of bytes', async () => {
    expect(before).toContain('raw-\xff\xfe')
    expect(await restored({ path: ground.at('out.zip') }, 'r1')).toBe(before)
  })

  it('also through a stream', async () => {
    expect(await restored({ stream: createReadStream(ground.at('out.zip')) }, 'r2')).toBe(before)
  })

  it('also through a target, in parts, with few requests', async () => {
    const target = memoryTarget()
    const options = { snapshot: 'latest', maxVolumeBytes: 5 * 1024 * 1024 }
    const { volumes } = await ground.engine.exportZip({ ...options, to: { target, key: 'x/out.zip' } })
    expect(volumes).toEqual(['x/out.zip.001', 'x/out.zip.002', 'x/out.zip.003'])
    expect(await restored({ target, key: 'x/out.zip' }, 'r3')).toBe(before)
  })
})
