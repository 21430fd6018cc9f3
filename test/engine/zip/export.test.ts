import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, ZipGround } from './zip-support.ts'

let ground: ZipGround

beforeAll(async () => {
  ground = await ZipGround.make()
  await ground.fill()
  await ground.engine.backup()
})
afterAll(() => ground.close())

describe('exportZip to a file', { timeout: 60_000 }, () => {
  it('is what unzip unpacks to the same tree', async () => {
    const path = ground.at('out.zip')
    const result = await ground.engine.exportZip({ snapshot: 'latest', to: { path } })
    const bytes = await readFile(path)
    expect(result).toMatchObject({
      volumes: [path],
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      entries: 12,
    })
    await run('unzip', ['-tq', path])
    await run('unzip', ['-q', path, '-d', ground.at('unpacked')])
    await run('diff', [
      '-r',
      '--no-dereference',
      '--exclude=raw-*',
      ground.at('tree'),
      ground.at('unpacked/files/docs'),
    ])
    expect(await readdir(ground.root)).not.toContainEqual(expect.stringContaining('.holdfast-'))
  })
})
