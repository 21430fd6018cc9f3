/** What no ZIP can hold: extended attributes, ACLs, and which files are sparse. */
import { mkdir, open, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run, ZipGround } from './zip-support.ts'

const MIB = 1024 * 1024

let ground: ZipGround
let metadata: string

beforeAll(async () => {
  ground = await ZipGround.make()
  const { engine } = ground
  await mkdir(ground.at('tree/folder'), { recursive: true })
  await writeFile(ground.at('tree/folder/marked'), 'x')
  // Of several batches of an export, and of one.
  await sparseFile(ground.at('tree/sparse-long'), 9 * MIB)
  await sparseFile(ground.at('tree/sparse-short'), MIB)
  await writeFile(ground.at('tree/zeros-long'), Buffer.alloc(9 * MIB))
  await writeFile(ground.at('tree/zeros-short'), Buffer.alloc(MIB))
  await run('setfattr', ['-n', 'user.note', '-v', '0sAP8KIg==', ground.at('tree/folder/marked')])
  await run('setfattr', ['-n', 'user.empty', ground.at('tree/folder')])
  await run('setfacl', ['-m', 'u:12345:r', ground.at('tree/folder/marked')])
  await engine.backup()
  await engine.exportZip({ snapshot: 'latest', to: { path: ground.at('out.zip') } })
  metadata = await metadataOf(ground.at('out.zip'))
}, 60_000)
afterAll(() => ground.close())

/** Holes but for a few bytes in the middle. */
async function sparseFile(path: string, bytes: number): Promise<void> {
  const handle = await open(path, 'w')
  await handle.truncate(bytes)
  await handle.write('some bytes', bytes / 2)
  await handle.close()
}

async function metadataOf(zip: string): Promise<string> {
  const { stdout } = await run('unzip', ['-p', zip, 'metadata.json'])
  return stdout
}

async function blocksOf(path: string): Promise<number> {
  const { stdout } = await run('stat', ['-c', '%b', path])
  return Number(stdout)
}

it('the metadata have it', () => {
  const entries: { path: string; sparse?: boolean; facts?: object }[] = JSON.parse(metadata).entries
  expect(entries.filter(({ sparse }) => sparse).map(({ path }) => path)).toEqual(['sparse-long', 'sparse-short'])
  const marked = entries.find(({ path }) => path === 'folder/marked')
  expect(marked?.facts).toMatchObject({
    'holdfast.xattrs': { 'user.note': 'AP8KIg==', 'system.posix_acl_access': expect.stringMatching(/^.{20}/) },
  })
})

it('an import brings it back, to the restored file', { timeout: 60_000 }, async () => {
  const { snapshot } = await ground.other.importZip({ from: { path: ground.at('out.zip') } })
  const plan = await ground.other.planRestore({ snapshot: snapshot.id, to: { folder: ground.at('back') } })
  await ground.other.restore(plan)
  const back = (name: string): string => ground.at('back/docs', name)
  const attributes = async (path: string): Promise<string> => {
    const { stdout } = await run('getfattr', ['--absolute-names', '-d', '-m', '-', '-e', 'base64', path])
    return stdout.replace(/^# file.*$/m, '')
  }
  for (const name of ['folder', 'folder/marked'])
    expect(await attributes(back(name))).toBe(await attributes(ground.at('tree', name)))
  expect(await attributes(back('folder/marked'))).toContain('system.posix_acl_access')
  for (const name of ['sparse-long', 'sparse-short']) expect(await blocksOf(back(name))).toBeLessThan(300)
  expect(await blocksOf(back('zeros-long'))).toBeGreaterThan(18_000)
  expect(await blocksOf(back('zeros-short'))).toBeGreaterThan(2000)
  await ground.other.exportZip({ snapshot: snapshot.id, to: { path: ground.at('again.zip') } })
  const lines = (text: string): string[] => text.split('\n').slice(2)
  expect(lines(await metadataOf(ground.at('again.zip')))).toEqual(lines(metadata))
})
