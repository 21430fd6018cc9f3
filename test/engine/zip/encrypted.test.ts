import { createReadStream } from 'node:fs'
import { copyFile, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryTarget, passphrase } from '../../../src/index.ts'
import { cheapKey } from '../../../src/repository/key-slots-key.ts'
import { age, hasAge } from './age-program.ts'
import { inventory, run, ZipGround } from './zip-support.ts'

const SECRET = 'correct horse, bättery staple'
const encrypt = cheapKey(passphrase(SECRET))
let ground: ZipGround
let direct: string

beforeAll(async () => {
  ground = await ZipGround.make()
  await ground.fill()
  await ground.engine.backup()
  await ground.engine.exportZip({ snapshot: 'latest', to: { path: ground.at('out.zip.age') }, encrypt })
  const plan = await ground.engine.planRestore({ snapshot: 'latest', to: { folder: ground.at('direct') } })
  await ground.engine.restore(plan)
  direct = await inventory(ground.at('direct/docs'))
}, 60_000)
afterAll(() => ground.close())

async function snapshots(): Promise<number> {
  return (await ground.other.snapshots({ kinds: ['import'] }).page({ limit: 10 })).items.length
}

/** A copy of the export that was changed. */
async function changed(name: string, change: (path: string, bytes: number) => Promise<void>): Promise<string> {
  const path = ground.at(name)
  await copyFile(ground.at('out.zip.age'), path)
  await change(path, (await stat(path)).size)
  return path
}

function flip(at: (bytes: number) => number) {
  return async (path: string): Promise<void> => {
    const bytes = await readFile(path)
    const place = at(bytes.length)
    bytes[place] = bytes[place]! ^ 1
    await writeFile(path, bytes)
  }
}

describe('an encrypted export', { timeout: 120_000 }, () => {
  it('shows no name, and comes back exactly from a file, a stream and a target in parts', async () => {
    const bytes = await readFile(ground.at('out.zip.age'))
    expect(bytes.subarray(0, 21).toString()).toBe('age-encryption.org/v1')
    expect(bytes.includes('text.txt') || bytes.includes('PK\x05\x06') || bytes.includes(SECRET)).toBe(false)
    const target = memoryTarget()
    const put = { snapshot: 'latest', to: { target, key: 'zip' }, encrypt, maxVolumeBytes: 2 ** 20 } as const
    const { volumes } = await ground.engine.exportZip(put)
    expect(volumes.length).toBeGreaterThan(10)
    const from = [
      { path: ground.at('out.zip.age') },
      { stream: createReadStream(ground.at('out.zip.age')) },
      { target, key: 'zip' },
    ]
    for (const [i, each] of from.entries()) {
      const { snapshot } = await ground.other.importZip({ from: each, key: encrypt })
      const folder = ground.at(`back-${i}`)
      await ground.other.restore(await ground.other.planRestore({ snapshot: snapshot.id, to: { folder } }))
      expect(await inventory(ground.at(`back-${i}/docs`))).toBe(direct)
    }
  })

  it('is opened by age, and by unzip after that', async () => {
    if (!(await hasAge())) return
    await age(SECRET, '-d', '-o', ground.at('plain.zip'), ground.at('out.zip.age'))
    await run('unzip', ['-q', ground.at('plain.zip'), '-d', ground.at('unzipped')])
    await run('diff', [
      '-r',
      '--no-dereference',
      '--exclude=raw-*',
      ground.at('tree'),
      ground.at('unzipped/files/docs'),
    ])
  })

  it('may have been encrypted by age', async () => {
    if (!(await hasAge())) return
    await mkdir(ground.at('made'))
    await writeFile(ground.at('made/hello'), 'hello')
    await run('sh', ['-c', 'python3 -m zipfile -c made.zip made'], { cwd: ground.root })
    await age('another', '-p', '-o', ground.at('made.zip.age'), ground.at('made.zip'))
    const { counts } = await ground.other.importZip({
      from: { path: ground.at('made.zip.age') },
      key: passphrase('another'),
    })
    expect(counts).toMatchObject({ sourceBytes: 5 })
    await expect(ground.other.importZip({ from: { path: ground.at('made.zip') }, key: encrypt })).rejects.toMatchObject(
      {
        code: 'INVALID_OPTIONS',
      },
    )
  })
})

describe('importZip of an encrypted file', { timeout: 120_000 }, () => {
  const cases: [string, string, (path: string, bytes: number) => Promise<void>][] = [
    ['whose end is gone', 'ZIP_TRUNCATED', (path, bytes) => truncate(path, bytes - 1)],
    ['that is cut between two chunks', 'ZIP_TRUNCATED', cutBetweenChunks],
    ['of which only the header is left', 'ZIP_TRUNCATED', (path) => truncate(path, 100)],
    ['with another bit in the middle', 'ZIP_ALTERED', flip((bytes) => bytes >> 1)],
    ['with another bit in the sum of the header', 'ZIP_ALTERED', flip(() => 130)],
  ]
  it.each(cases)('%s: %s, and there is no snapshot', async (name, code, change) => {
    const before = await snapshots()
    const path = await changed(`${name}.age`, change)
    await expect(ground.other.importZip({ from: { path }, key: encrypt })).rejects.toMatchObject({ code })
    expect(await snapshots()).toBe(before)
  })

  it('wants the right passphrase', async () => {
    const from = { path: ground.at('out.zip.age') }
    await expect(ground.other.importZip({ from })).rejects.toMatchObject({ code: 'KEY_MISSING' })
    const wrong = ground.other.importZip({ from, key: cheapKey(passphrase('wrong')) })
    await expect(wrong).rejects.toMatchObject({ code: 'KEY_WRONG' })
  })
})

async function cutBetweenChunks(path: string): Promise<void> {
  const head = (await readFile(path)).indexOf('\n', (await readFile(path)).indexOf('\n---') + 1) + 1 + 16
  await truncate(path, head + 3 * (64 * 1024 + 16))
}
