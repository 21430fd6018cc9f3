/** Every TypeScript block of README.md type-checks and runs, in order; every link leads somewhere. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, installBuilt, ROOT } from './built-package.ts'
import { startS3, type TestS3 } from './servers/s3.ts'
import { type TestBucket, testBucket } from './servers/s3-bucket.ts'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...docs()]
const IMPORT = /^import .*\n/gm

let built: Installed
let server: TestS3
let bucket: TestBucket

/** What the blocks after the quick start leave out: the imports, and the engine that it opened. */
const PREAMBLE = `import { BackupEngine, BackupError, defineSource, filesystem, localTarget, passphrase } from 'holdfast'
const engine = await BackupEngine.open({
  target: localTarget('./backups'),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [filesystem({ name: 'uploads', path: './uploads' })],
})`

beforeAll(async () => {
  built = await installBuilt()
  server = await startS3()
  bucket = await testBucket(server)
  mkdirSync(join(built.folder, 'uploads/2026'), { recursive: true })
  writeFileSync(join(built.folder, 'uploads/2026/a.txt'), 'some content')
  writeFileSync(join(built.folder, 'quick-start.ts'), blocks[0]!)
  const rest = blocks.slice(1).map((code) => `{\n${code.replaceAll(IMPORT, '')}}\n`)
  const imports = blocks.slice(1).flatMap((code) => code.match(IMPORT) ?? [])
  const script = [...imports, PREAMBLE, ...rest, 'await engine.close()', "console.log('the end')", ''].join('\n')
  writeFileSync(join(built.folder, 'verbs.ts'), script.replace("bucket: 'backups'", `bucket: '${bucket.name}'`))
}, 240_000)
afterAll(async () => {
  built.remove()
  await bucket.drop()
  await server.stop()
})

describe('README.md', () => {
  it('has a quick start and a block for each verb', () => {
    expect(blocks[0]).toContain('BackupEngine.open')
    for (const verb of [
      'backup',
      'snapshots',
      'entries',
      'read',
      'diff',
      'verify',
      'planRestore',
      'restore',
      'follow',
    ]) {
      expect(readme, verb).toContain(`engine.${verb}(`)
    }
  })

  it('has blocks that type-check', async () => {
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        noUnusedLocals: false,
        typeRoots: [join(ROOT, 'node_modules/@types')],
        paths: {
          holdfast: [join(ROOT, 'src/index.ts')],
          'holdfast/s3': [join(ROOT, 'src/targets/s3/index.ts')],
        },
      },
      include: ['*.ts'],
    }
    writeFileSync(join(built.folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = promisify(execFile)(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      built.folder,
    ])
    await expect(tsc.catch((error) => Promise.reject(new Error(error.stdout)))).resolves.toMatchObject({ stdout: '' })
  })

  it('has blocks that run, in order', async () => {
    const started = await built.node('quick-start.ts')
    expect(started.stdout).toMatch(/^\S+ 2 0 \d+\n$/)
    expect(readFileSync(join(built.folder, 'restored/uploads/2026/a.txt'), 'utf8')).toBe('some content')
    const { stdout } = await built.node('verbs.ts', [], storeOf(server))
    expect(stdout).toContain('create')
    expect(stdout).toMatch(/\nthe end\n$/)
    expect(stdout).toContain('SNAPSHOT_NOT_FOUND')
    expect(readFileSync(join(built.folder, 'recovered/uploads/2026/a.txt'), 'utf8')).toBe('some content')
  })

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
    const named = pages.flatMap((page) => [...read(page).matchAll(/`?npm run ([\w:]+)/g)].map(([, name]) => name!))
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

describe('links', () => {
  it.for(pages)('of %s lead to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link!)
    expect(links.filter((link) => !existsSync(join(ROOT, page, '..', link)))).toEqual([])
  })
})

/** As the SDK looks for it. */
function storeOf({ endpoint, region, accessKeyId, secretAccessKey }: TestS3): Record<string, string> {
  return {
    S3_ENDPOINT: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

function docs(): string[] {
  return readdirSync(join(ROOT, 'docs'))
    .map((name) => `docs/${name}`)
    .filter((name) => name.endsWith('.md'))
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}
