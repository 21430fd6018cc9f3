/** An entry that comes in pieces is still being written when all of the rest is done: the metadata wait for it. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run, ZipGround } from './zip-support.ts'

let ground: ZipGround

beforeAll(async () => {
  ground = await ZipGround.make()
  await mkdir(ground.at('tree'), { recursive: true })
}, 60_000)
afterAll(() => ground.close())

it.each([5, 9, 20])('%i MiB that compress well, last of all', async (mebibytes) => {
  const content = Buffer.alloc(mebibytes * 1024 * 1024, 'abc def ')
  await writeFile(ground.at('tree/long'), content)
  await ground.engine.backup()
  const path = ground.at(`${mebibytes}.zip`)
  await ground.engine.exportZip({ snapshot: 'latest', to: { path } })
  const { stdout } = await run('unzip', ['-p', path, 'metadata.json'])
  const { sha256 } = JSON.parse(stdout).entries.at(-1)
  expect(sha256).toBe(createHash('sha256').update(content).digest('hex'))
  const { snapshot } = await ground.other.importZip({ from: { path } })
  expect(snapshot).toMatchObject({ complete: true })
})
