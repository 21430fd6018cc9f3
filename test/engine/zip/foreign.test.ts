import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, ZipGround } from './zip-support.ts'

let ground: ZipGround

beforeAll(async () => {
  ground = await ZipGround.make()
  await mkdir(ground.at('tree/a/b'), { recursive: true })
  await writeFile(ground.at('tree/a/b/text'), 'text '.repeat(10_000), { mode: 0o600 })
  await writeFile(ground.at('tree/ä'), 'name')
  await writeFile(ground.at('tree/empty'), '')
  await symlink('a/b/text', ground.at('tree/link'))
  await ground.engine.backup()
})
afterAll(() => ground.close())

async function imported(path: string): Promise<string> {
  const { snapshot } = await ground.other.importZip({ from: { path }, source: 'mine' })
  expect(snapshot.sources).toMatchObject([{ name: 'mine', kind: 'zip' }])
  const to = `${path}-restored`
  await ground.other.restore(await ground.other.planRestore({ snapshot: snapshot.id, to: { folder: to } }))
  return `${to}/mine`
}

describe('ZIPs of other tools', { timeout: 60_000 }, () => {
  it('of zip are imported, with links and modes', async () => {
    await run('sh', ['-c', 'zip -qry ../zip.zip .'], { cwd: ground.at('tree') })
    const folder = await imported(ground.at('zip.zip'))
    await run('diff', ['-r', '--no-dereference', ground.at('tree'), folder])
    expect(execFileSync('stat', ['-c', '%a', `${folder}/a/b/text`], { encoding: 'utf8' })).toBe('600\n')
  })

  it('of Python are imported, also without entries for folders', async () => {
    const script = `import zipfile
with zipfile.ZipFile('${ground.at('py.zip')}', 'w', zipfile.ZIP_DEFLATED) as z:
    for name in ['ä', 'a/b/text', 'empty']: z.write('${ground.at('tree')}/' + name, name)`
    await run('python3', ['-c', script])
    const folder = await imported(ground.at('py.zip'))
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['a', 'a/b', 'a/b/text', 'empty', 'ä'])
    expect(await readFile(`${folder}/a/b/text`, 'utf8')).toBe('text '.repeat(10_000))
  })
})

describe('exported ZIPs', { timeout: 60_000 }, () => {
  it("open in Python's zipfile, with CRCs, and metadata in JSON", async () => {
    await ground.engine.exportZip({ snapshot: 'latest', to: { path: ground.at('out.zip') } })
    const script = `import zipfile, json, hashlib
z = zipfile.ZipFile('${ground.at('out.zip')}')
assert z.testzip() is None
m = json.load(z.open('metadata.json'))
for e in m['entries']:
    if 'sha256' in e: assert hashlib.sha256(z.read(e['zip'])).hexdigest() == e['sha256'], e
print(len(m['entries']))`
    const { stdout } = await run('python3', ['-c', script])
    expect(stdout).toBe('6\n')
  })
})
