/**
 * docs/reader reads what the engine has written: a program in another language, made from docs/format.md alone. Where it fails
 * and the engine does not, the document is wrong.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupEngine, type EngineOptions, localTarget, passphrase, rawKey } from '../src/index.ts'
import type { Config } from '../src/model/config.ts'
import { sealConfig } from '../src/repository/config-chain.ts'
import { recoveryText } from '../src/repository/key-slots-key.ts'
import { configKey } from '../src/repository/keys-layout.ts'
import { openRepository } from '../src/repository/open.ts'
import { TransformRegistry } from '../src/transforms/registry.ts'
import { userToLatin1 } from '../src/util/paths.ts'
import { installPrograms, type Key, python, type Ran, READER, read } from './docs-reader-support.ts'
import { EXPECTED_FILE, REPOSITORIES_FOLDER, ROTATED_KEY, SCENES_FILE, VECTORS_FILE } from './golden/repositories.ts'
import type { SceneEntry } from './golden/scene-tree.ts'
import { NEW_PASSPHRASE, PASSPHRASE, RECOVERY_HEX } from './golden/scenes.ts'
import { type Expected, recordsSource } from './golden/tree.ts'

const DAMAGE = new URL('docs-reader-damage.py', import.meta.url).pathname
const isRoot = process.getuid?.() === 0
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-reader-'))
const place = (name: string): string => join(REPOSITORIES_FOLDER, name)

/** What a reader must find; of entries that are no files some say less. */
type Wanted = Partial<SceneEntry> & Pick<SceneEntry, 'path' | 'type' | 'size'>

beforeAll(installPrograms, 240_000)
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

function lines<T>({ code, out, errors }: Ran): T[] {
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  return (
    out
      .split('\n')
      .filter((line) => line !== '')
      // Nanoseconds are more than a number holds here.
      .map((line) => JSON.parse(line.replace(/("mtime": )(-?\d+)/, '$1"$2"')) as T)
  )
}

const withPassphrase = (text: string): Key => ({ HOLDFAST_PASSPHRASE: text })
const withKey = (text: string): Key => ({ HOLDFAST_RECOVERY_KEY: text })
const ROTATED_HEX = Buffer.from(ROTATED_KEY).toString('hex')
const sheet = `\n${recoveryText(Buffer.from(RECOVERY_HEX, 'hex')).toLowerCase().replace('0', 'o').replace(/ /g, '\n')}\n`

/** By name of the repository and of its snapshots. */
function expectations(): Map<string, Readonly<Record<string, readonly Wanted[]>>> {
  const [first, second] = (JSON.parse(readFileSync(EXPECTED_FILE, 'utf8')) as Expected[][]).map((entries) =>
    entries.map(({ modifiedAt, ...entry }) => ({
      ...entry,
      // A second name says less than it could: it is a file as well.
      ...(modifiedAt !== undefined && { mtime: `${Date.parse(modifiedAt)}000000` }),
    })),
  )
  const states = { first: first!, second: second! }
  const scenes = JSON.parse(readFileSync(SCENES_FILE, 'utf8')) as Record<string, Record<string, SceneEntry[]>>
  return new Map<string, Readonly<Record<string, readonly Wanted[]>>>([
    ...['plain', 'zstd', 'gzip', 'encrypted', 'two-epochs'].map((name) => [name, states] as const),
    ...Object.entries(scenes),
  ])
}

const READINGS: readonly [repository: string, key: Key][] = [
  ['plain', {}],
  ['zstd', {}],
  ['gzip', {}],
  ['encrypted', withPassphrase(PASSPHRASE)],
  ['two-epochs', withKey(ROTATED_HEX)],
  ['kinds', withKey(sheet)],
  ['rotated', withPassphrase(NEW_PASSPHRASE)],
  ['rotated', withKey(RECOVERY_HEX)],
  ['pruned', {}],
  ['erased', withPassphrase(PASSPHRASE)],
  ['ended', {}],
  ['repaired', {}],
  ['undone', withKey(RECOVERY_HEX)],
]

it.concurrent.each(READINGS)(
  'the golden repository %s is listed and extracted as it was written',
  { timeout: 60_000 },
  async (name, key) => {
    const wanted = expectations().get(name)!
    const snapshots = lines<{ id: string; createdAt: string }>(await read(['list', place(name)], key))
    // One that was brought back has a new id, and its old time.
    snapshots.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
    expect(snapshots).toHaveLength(Object.keys(wanted).length)
    const own = mkdtempSync(join(scratch, 'extracted-'))
    for (const [number, entries] of Object.values(wanted).entries()) {
      const { id } = snapshots[number]!
      const destination = join(own, `${number}`)
      checkExtracted(await read(['extract', place(name), id, destination], key), destination, entries)
      // What only root can make is in the list at least.
      if (name === 'kinds') checkListed(lines<Listed>(await read(['list', place(name), id], key)), entries)
      rmSync(destination, { recursive: true })
    }
  },
)

interface Listed {
  path: string
  type: string
  size: number
  mode?: number
  mtime?: string
  target?: string
  group?: string
  attributes?: Record<string, unknown>
}

function checkListed(found: readonly Listed[], wanted: readonly Wanted[]): void {
  const byPath = new Map(found.map((each) => [each.path, each]))
  expect([...byPath.keys()].sort()).toEqual(wanted.map(({ path }) => path).sort())
  for (const entry of wanted) {
    const { type, size, target, mode, mtime, group, attributes = {} } = byPath.get(entry.path)!
    const { 'holdfast.xattrs': xattrs, 'holdfast.device': device, 'holdfast.rdev': rdev } = attributes
    const same = { type, size, linkTarget: target, mode, mtime, device, rdev, xattrs }
    expect(same, entry.path).toMatchObject(wantedOf(entry))
    if (entry.sameAs !== undefined) expect(group, entry.path).toBe(byPath.get(entry.sameAs)!.group)
  }
}

/** Links to links have no rights of their own. */
function wantedOf({ path: _, sha256: __, sameAs, ...rest }: Wanted): Partial<Wanted> {
  return { ...rest, ...(rest.type === 'hardlink' && { type: 'file' }) }
}

function checkExtracted({ code, out, errors }: Ran, destination: string, entries: readonly Wanted[]): void {
  const leftOut = entries.filter(({ type }) => type === 'socket' || (type === 'device' && !isRoot))
  expect(errors.split('\n').filter((line) => line !== '')).toHaveLength(leftOut.length)
  expect({ code, out }).toEqual({ code: leftOut.length > 0 ? 1 : 0, out: '' })
  const at = (path: string): Buffer => Buffer.from(`${destination}/${userToLatin1(path)}`, 'latin1')
  for (const entry of entries) {
    if (leftOut.includes(entry)) continue
    const { path, size, mode, mtime, sha256, linkTarget, sameAs, rdev, xattrs } = entry
    const stat = lstatSync(at(path), { bigint: true })
    if (mode !== undefined) expect(Number(stat.mode) & 0o7777, path).toBe(mode)
    if (mtime !== undefined) expect(String(stat.mtimeNs), path).toBe(mtime)
    if (rdev !== undefined) expect(Number(stat.rdev), path).toBe(rdev)
    if (sha256 !== undefined) {
      expect(Number(stat.size), path).toBe(size)
      expect(
        createHash('sha256')
          .update(readFileSync(at(path)))
          .digest('hex'),
        path,
      ).toBe(sha256)
    }
    if (path.startsWith('tree/sparse/')) expect(Number(stat.blocks) * 512, path).toBeLessThan(size - 60_000)
    if (linkTarget !== undefined && entry.type === 'symlink') {
      expect(readlinkSync(at(path), 'latin1'), path).toBe(userToLatin1(linkTarget))
    }
    if (sameAs !== undefined) expect(stat.ino, path).toBe(lstatSync(at(sameAs), { bigint: true }).ino)
    if (xattrs !== undefined) expect(xattrsOf(at(path).toString()), path).toEqual(xattrs)
  }
}

function xattrsOf(path: string): unknown {
  const script =
    'import base64,json,os,sys; p=sys.argv[1]; print(json.dumps({n: base64.b64encode(os.getxattr(p,n)).decode() for n in os.listxattr(p)}))'
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }))
}

describe('what is not as it was written', () => {
  it.each([
    ['pruned', '12', []],
    ['kinds', '2', [RECOVERY_HEX]],
    ['two-epochs', '0', [ROTATED_HEX]],
  ])('is an error, and never other content: %s', { timeout: 60_000 }, async (name, changes, key) => {
    const { out, errors } = await python([DAMAGE, READER, place(name), changes, ...key])
    expect(errors).toBe('')
    const { counts, wrong } = JSON.parse(out) as {
      counts: Record<string, { errors: number; same: number }>
      wrong: string[]
    }
    expect(wrong).toEqual([])
    for (const area of ['config', 'index', 'snapshots']) expect(counts[area], area).toMatchObject({ same: 0 })
    // Of two slots one is enough.
    if (key.length > 0) expect(counts.keys).toMatchObject({ same: name === 'kinds' ? 0 : counts.keys!.errors })
    // Nobody looks at what no snapshot needs.
    expect(counts.packs!.errors).toBeGreaterThan(counts.packs!.same)
  })

  it.each([
    ['encrypted', {}, /^keytrouble: the repository is encrypted/],
    ['plain', withPassphrase(PASSPHRASE), /^keytrouble: the repository is not encrypted/],
    ['encrypted', withPassphrase('wrong'), /^keytrouble: .*this key does not open it/],
    ['rotated', withPassphrase(PASSPHRASE), /^keytrouble: .*this key does not open it/],
    ['kinds', withKey(sheet.replace('o', '3')), /^keytrouble: .*this key does not open it/],
    ['kinds', withKey('mistyped'), /^keytrouble: .*this key does not open it/],
    ['index', {}, /^damaged: there is no repository/],
  ] as const)('is refused: %s', async (name, key, message) => {
    const { code, out, errors } = await read(['list', place(name)], key)
    expect({ code, out }).toEqual({ code: name === 'index' ? 1 : 2, out: '' })
    expect(errors).toMatch(message)
  })
})

describe('what is newer than engine and reader', () => {
  type Features = Config['requiredFeatures']
  const NONE: Features = { read: [], write: [], prune: [] }
  const future = async (name: string, key: EngineOptions['key'], features: Partial<Features>): Promise<string> => {
    const copy = mkdtempSync(join(scratch, 'future-'))
    cpSync(place(name), copy, { recursive: true })
    const target = localTarget(copy)
    const options = { target, key, create: 'never', transforms: [], registry: new TransformRegistry() } as const
    const { keys, keyring } = await openRepository({ ...options, now: new Date() })
    const { n, hash, config } = keys.chain
    const { rotation: _, ...rest } = config
    const next = { ...rest, previousHash: hash, requiredFeatures: { ...NONE, ...features } }
    await target.put(configKey(n + 1), sealConfig(next, n + 1, keyring))
    return copy
  }
  const openCopy = (copy: string, key: EngineOptions['key']): Promise<BackupEngine> =>
    BackupEngine.open({ target: localTarget(copy), key, workers: 'inline', create: 'never' })

  it.each([
    ['plain', 'none', {}],
    ['encrypted', passphrase(PASSPHRASE), withPassphrase(PASSPHRASE)],
    ['two-epochs', rawKey(ROTATED_KEY), withKey(ROTATED_HEX)],
  ] as const)('a feature that reading needs is unsupported by both: %s', async (name, key, said) => {
    const copy = await future(name, key, { read: ['time-travel'] })
    const { code, out, errors } = await read(['list', copy], said)
    expect({ code, out, errors }).toEqual({ code: 3, out: '', errors: 'unsupported: reading needs time-travel\n' })
    await expect(openCopy(copy, key)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('time-travel'),
    })
  })

  it('a feature that writing or pruning needs leaves reading as it is', async () => {
    const copy = await future('plain', 'none', { write: ['ink'], prune: ['shears'] })
    expect(lines(await read(['list', copy]))).toHaveLength(2)
    await using engine = await openCopy(copy, 'none')
    expect(await engine.snapshots().toArray()).toHaveLength(2)
    await expect(engine.backup({ sources: [recordsSource()] })).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    const [newest] = await engine.snapshots().toArray()
    await expect(engine.annotate(newest!.id, { addTags: ['x'] })).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    const pruned = engine.planPrune().then((plan) => engine.prune(plan, { confirm: plan.digest }))
    await expect(pruned).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it('a feature that writing needs leaves the keys as they are', async () => {
    const key = rawKey(ROTATED_KEY)
    await using engine = await openCopy(await future('two-epochs', key, { write: ['ink'] }), key)
    await expect(engine.keys.rotate()).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it.each([
    ['a config', 'config/', 'holdfast config 1', 'holdfast config 2'],
    ['a box', 'snapshots/', 'HFBX\x01', 'HFBX\x02'],
  ])('%s of a later version is unsupported by both', async (_, area, from, to) => {
    const copy = mkdtempSync(join(scratch, 'later-'))
    cpSync(place('plain'), copy, { recursive: true })
    const target = localTarget(copy)
    for await (const { key } of target.list(area)) {
      const bytes = Buffer.from(await target.get(key)).toString('latin1')
      writeFileSync(join(copy, key), bytes.replace(from, to), 'latin1')
    }
    const { errors } = await read(['list', copy])
    expect(errors).toMatch(area === 'config/' ? /^unsupported: config of a later version/ : /box of version 2/)
    const opened = openCopy(copy, 'none').then(async (engine) => {
      await using open = engine
      const [finding] = (await open.verify({ level: 'structure' })).findings
      throw finding
    })
    await expect(opened).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })
})

it('the reader agrees with the test vectors', async () => {
  const script = new URL('docs-reader-vectors.py', import.meta.url).pathname
  expect(await python([script, READER, VECTORS_FILE])).toEqual({ code: 0, out: '', errors: '' })
})

it('the reader is short', () => {
  expect(readdirSync(READER).sort()).toEqual(['README.md', 'holdfast_read.py'])
  const rows = readFileSync(join(READER, 'holdfast_read.py'), 'utf8').trimEnd().split('\n')
  expect(rows.length).toBeLessThan(300)
  expect(rows.filter((row) => row.length > 120)).toEqual([])
})
