/** Every example runs, against the built package and its real workers, as its first comment says. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, installBuilt, ROOT } from './built-package.ts'
import { queryRows, runSql, startPostgres, testDatabase } from './servers/postgres.ts'
import { startS3 } from './servers/s3.ts'
import { testBucket } from './servers/s3-bucket.ts'

let built: Installed
const at = (...path: string[]): string => join(built.folder, ...path)

beforeAll(async () => {
  built = await installBuilt()
  cpSync(join(ROOT, 'examples'), at('examples'), { recursive: true })
  mkdirSync(at('data/below'), { recursive: true })
  writeFileSync(at('data/one.txt'), 'one '.repeat(10_000))
  writeFileSync(at('data/below/two.txt'), 'two')
  writeFileSync(at('data/left-out.tmp'), 'not wanted')
})
afterAll(() => built.remove())

describe('examples', () => {
  it('are all run here', () => {
    const modules = ['brotli.ts']
    const folders = ['custom-target']
    const scripts = [
      'backup-folder.ts',
      'custom-transform.ts',
      'database-and-uploads.ts',
      'encrypted-zip.ts',
      'erase.ts',
      'http-route.ts',
      'keys.ts',
      'repair-drill.ts',
      's3-and-mirror.ts',
      'scheduled.ts',
    ]
    expect(readdirSync(join(ROOT, 'examples')).sort()).toEqual([...modules, ...folders, ...scripts].sort())
  })

  it('backup-folder backs up a folder, without what it excludes', async () => {
    const { stdout, stderr } = await built.node('examples/backup-folder.ts', [at('data'), at('repository')])
    expect(stdout).toMatch(/^\S+: 3 entries, \d+ bytes stored, \d+ ms\n$/)
    expect(stderr).toContain('100 %')
  })

  it('backup-folder says what is wrong', async () => {
    await expect(built.node('examples/backup-folder.ts', [at('nothing here'), at('other')])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SOURCE_NOT_FOUND'),
    })
  })

  it('custom-transform compresses in workers, and restores the same', async () => {
    const { stdout } = await built.node('examples/custom-transform.ts', [at('data'), at('brotli'), at('restored')])
    expect(stdout).toMatch(/bytes became \d+, with 0 warnings\n4 entries restored\n$/)
    expect(execFileSync('diff', ['-r', at('data'), at('restored/data')], { encoding: 'utf8' })).toBe('')
  })

  it('custom-target passes the suite of conformance, under node:test', async () => {
    const { stdout } = await built.node('examples/custom-target/http-target.test.ts')
    expect(stdout).toContain('**http**: creates once between processes, 16 calls at once, no checksums, remote')
    expect(stdout).not.toMatch(/\*\*failed|not tried|not run/)
    expect(stdout).toMatch(/fail 0\n.*skipped 1\n/s)
  })

  it('database-and-uploads puts both back as they were together', async () => {
    const server = await startPostgres()
    const database = await testDatabase(server)
    // The script gets it by its environment, as this process has it.
    const before = process.env.DATABASE_URL
    process.env.DATABASE_URL = database.url
    try {
      await runSql(database.url, "CREATE TABLE uploads (name text); INSERT INTO uploads VALUES ('one.txt')")
      mkdirSync(at('uploads'))
      writeFileSync(at('uploads/one.txt'), 'one')
      const run = (verb: string, uploads: string) =>
        built.node('examples/database-and-uploads.ts', [verb, uploads, at('both')])
      expect((await run('backup', at('uploads'))).stdout).toMatch(/^\S+: \d+ entries, \d+ bytes stored\n$/)
      await runSql(database.url, 'DELETE FROM uploads')
      expect((await run('drill', at('uploads'))).stdout).toContain('Recovery drill: passed')
      expect((await run('restore', at('uploads-back'))).stdout).toContain(database.name)
      expect(await queryRows(database.url, 'SELECT name FROM uploads')).toEqual([{ name: 'one.txt' }])
      expect(readFileSync(at('uploads-back/one.txt'), 'utf8')).toBe('one')
    } finally {
      if (before === undefined) delete process.env.DATABASE_URL
      else process.env.DATABASE_URL = before
      const left = await queryRows<{ name: string }>(
        server.url,
        `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${database.name}')`,
      )
      for (const { name } of left) await runSql(server.url, `DROP DATABASE "${name}" WITH (FORCE)`)
      await server.stop()
    }
  }, 60_000)

  it('scheduled backs up, forgets, frees and proves, until it is told to stop', async () => {
    const env = { ...process.env, BACKUP_PASSPHRASE: 'only for tests' }
    const args = [at('examples/scheduled.ts'), at('data'), at('scheduled'), '0']
    const timer = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = once(timer, 'exit')
    const lines: string[] = []
    for await (const line of createInterface(timer.stdout)) {
      lines.push(line)
      if (lines.length === 3) timer.kill('SIGTERM')
    }
    expect(await exit).toEqual([0, null])
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^\S+: 0 warnings, 0 forgotten$/),
      'proved sound',
      expect.stringMatching(/^\S+: 0 warnings, 0 forgotten$/),
    ])
  })

  it('keys lets people in and out, and prints a sheet that opens', async () => {
    const keys = (args: readonly string[], env = {}) => built.node('examples/keys.ts', [at('repository'), ...args], env)
    await keys(['add', 'Ann'], { NEW_PASSPHRASE: 'only for Ann' })
    const sheet = (await keys(['sheet'], { BACKUP_PASSPHRASE: 'only for Ann' })).stdout
    expect((await keys(['leave', 'Ann'])).stdout).toMatch(/^Generation 2, for: first, .*\n$/)
    await expect(keys(['list'], { BACKUP_PASSPHRASE: 'only for Ann' })).rejects.toMatchObject({
      stderr: expect.stringContaining('KEY_WRONG'),
    })
    const typed = sheet.match(/^ {4}[0-9A-Z]{5} .*$/gm)!.join(' ')
    expect((await keys(['list'], { RECOVERY_KEY: typed })).stdout).toContain('(this one)')
  })

  it('repair-drill loses a pack of a copy, and gets it back', async () => {
    const { stdout } = await built.node('examples/repair-drill.ts', [at('scheduled')])
    expect(stdout).toMatch(/^Lost: \S+\n.*OBJECT_MISSING.*Lost for good: 0 entries, 0 bytes\nSaved: [1-9]/s)
    expect(stdout).toMatch(/\nThe copy is sound again\n$/)
  })

  it('encrypted-zip takes a snapshot elsewhere', async () => {
    const zip = (verb: string, repository: string) =>
      built.node('examples/encrypted-zip.ts', [verb, at(repository), at('all.zip.age')], {
        ZIP_PASSPHRASE: 'for the ZIP',
      })
    expect((await zip('export', 'scheduled')).stdout).toMatch(/^4 entries, \d+ bytes, SHA-256 [0-9a-f]{64}\n$/)
    expect(readFileSync(at('all.zip.age'), 'latin1')).toMatch(/^age-encryption\.org\/v1\n/)
    expect((await zip('import', 'elsewhere')).stdout).toMatch(/^\S+: 4 entries, made at 20/)
  })

  it('erase shows what goes, and takes it out of every snapshot', async () => {
    const erase = (verb: string, given: string) =>
      built.node('examples/erase.ts', [verb, at('scheduled'), at('plan.json'), given])
    const { stdout } = await erase('plan', 'data/below')
    expect(stdout).toMatch(/^\d entries \(\d+ bytes\) in \d snapshots:\n {2}data\/below\n {2}data\/below\/two.txt\n/)
    expect((await erase('erase', /^Digest: (\S+)$/m.exec(stdout)![1]!)).stdout).toMatch(
      /^\d snapshots rewritten, -?\d+ bytes freed: done\n$/,
    )
    expect((await erase('plan', 'data/below')).stdout).toContain('0 entries (0 bytes) in 0 snapshots')
  })

  it('s3-and-mirror has two repositories, of which one is enough', async () => {
    const server = await startS3()
    const bucket = await testBucket(server)
    try {
      const env = {
        S3_ENDPOINT: server.endpoint,
        S3_PROVIDER: 'ceph',
        AWS_REGION: server.region,
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      }
      const { stdout } = await built.node('examples/s3-and-mirror.ts', [at('data'), bucket.name, at('mirror')], env)
      expect(stdout).toMatch(/^(\S+) \{.*\}\n\1 is sound in the mirror\n$/)
    } finally {
      await bucket.drop()
      await server.stop()
    }
  }, 240_000)

  it('http-route answers 202, streams the run to its end, and closes', async () => {
    const env = { ...process.env, BACKUP_PASSPHRASE: 'only for tests' }
    const args = [at('examples/http-route.ts'), at('data'), at('web'), '0']
    const server = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = once(server, 'exit')
    try {
      const [url] = (await once(createInterface(server.stdout), 'line')) as [string]
      const started = await fetch(`${url}/backups`, { method: 'POST' })
      expect(started.status).toBe(202)
      const { runId } = (await started.json()) as { runId: string }
      const events = await (await fetch(`${url}/backups/${runId}/events`)).text()
      expect(events).toMatch(/event: end\ndata: .*"status":"ok".*\n\n$/)
      expect(await (await fetch(`${url}/snapshots`)).json()).toMatchObject({ items: [{ actor: 'web' }] })
      expect((await fetch(`${url}/backups/unknown/events`)).status).toBe(404)
    } finally {
      server.kill('SIGTERM')
    }
    expect(await exit).toEqual([0, null])
  })
})
