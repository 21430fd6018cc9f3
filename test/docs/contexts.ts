/** For each page with blocks of TypeScript: what its code takes for granted, which the page need not say. */
import type { Context } from './modules.ts'

/** An engine over ./uploads. A raw key opens at once, where a page is not about keys. */
const ENGINE = `import { BackupEngine, BackupError, defineSource, filesystem, localTarget, passphrase, rawKey } from 'holdfast'
const engine = await BackupEngine.open({
  target: localTarget('./backups'),
  key: rawKey('07'.repeat(32)),
  sources: [filesystem({ name: 'uploads', path: './uploads' })],
})`
const SHOW = 'const show = (...values: unknown[]): void => console.log(...values)'
const BACKUP = 'await engine.backup()'
const CLOSE = 'await engine.close()'
/** Where a page has AWS: the gateway of the tests. */
const STORE = "endpoint: process.env.S3_ENDPOINT, provider: 'ceph', region: 'us-east-1'"

const join = (...parts: string[]): string => parts.join('\n')
const check = (what: string): string => `if (!(${what})) throw new Error(${JSON.stringify(what)})`

export const CONTEXTS: Readonly<Record<string, Context>> = {
  'README.md': {
    before: ENGINE.replace("rawKey('07'.repeat(32))", 'passphrase(process.env.BACKUP_PASSPHRASE)'),
    instead: { "bucket: 'backups'": 'bucket: process.env.BUCKET!' },
    beforeBlock: { 'planForget(': "await (await import('node:fs/promises')).rm('./recovered', { recursive: true })" },
    after: join(
      "import { readFileSync } from 'node:fs'",
      check("readFileSync('./restored/uploads/2026/a.txt', 'utf8') === 'some content'"),
      CLOSE,
    ),
  },
  'docs/command.md': {
    shared: true,
    instead: { '/var/backups/app': './backups' },
    after: join('const { counts, warnings } = await engine.backup()', check('counts.entries >= 4'), CLOSE),
  },
  'docs/doctor.md': { before: join(ENGINE, SHOW), after: CLOSE },
  'docs/embedding.md': {
    shared: true,
    before: join(
      "import { filesystem, localTarget, rawKey } from 'holdfast'",
      "const [target, key] = [localTarget('./backups'), rawKey('07'.repeat(32))]",
      "const sources = [filesystem({ name: 'uploads', path: './uploads' })]",
    ),
    instead: {
      "'/app/workers/holdfast-worker.js'":
        "import.meta.dirname + '/../../node_modules/holdfast/dist/holdfast-worker.js'",
    },
    after: join(check('(await engine.backup()).warnings.length === 0'), CLOSE, 'await workers.close()'),
  },
  'docs/erase.md': {
    before: join(ENGINE, SHOW, BACKUP),
    after: join(
      "const left = await engine.entries({ snapshot: 'latest', recursive: true }).toArray()",
      check("left.some(({ path }) => path.includes('2026')) && !left.some(({ path }) => path.includes('4711'))"),
      CLOSE,
    ),
  },
  'docs/errors.md': { before: join(ENGINE, 'const again = async (): Promise<void> => {}'), after: CLOSE },
  'docs/events.md': {
    before: join(
      ENGINE,
      SHOW,
      'const [render, alert, note, done] = [show, show, show, show]',
      "const runId = 'run-1'",
      'const { signal } = new AbortController()',
    ),
    beforeBlock: { 'engine.follow(': 'const running = engine.backup({ runId })' },
    after: join(check('engine.runs().length === 0'), CLOSE),
  },
  'docs/filesystem.md': {
    before: ENGINE,
    joined: true,
    instead: { '/srv/files': './uploads' },
    after: join('await engine.backup({ sources: [files] })', CLOSE),
  },
  'docs/keys.md': {
    before: join(
      ENGINE.replace("'07'.repeat(32)", 'process.env.BACKUP_KEY'),
      "const target = localTarget('./backups')",
      'const flip = async (bytes: Uint8Array): Promise<Uint8Array> => bytes.map((byte) => byte ^ 1)',
      'const kms = { encrypt: flip, decrypt: flip }',
      BACKUP,
    ),
    joined: true,
    beforeBlock: { 'rawKey(typed)': "const typed = sheet.match(/^ {4}[0-9A-Z]{5} .*$/gm)!.join(' ')" },
    after: join(
      'const wrapped = await byService',
      check("wrapped.kind === 'provider' && byHand.kind !== byFile.kind"),
      check('(await engineOfThatDay.snapshots().toArray()).length === 1'),
      check("slots.length === 1 && generation === 2 && rekeyed!.state === 'done'"),
      'await engineOfThatDay.close()',
      CLOSE,
    ),
  },
  'docs/postgres.md': {
    shared: true,
    before: join(
      "import pg from 'pg'",
      'const client = new pg.Client({ connectionString: process.env.DATABASE_URL })',
      'await client.connect()',
      "await client.query('CREATE TABLE orders (id int PRIMARY KEY, t text)')",
      'await client.query("INSERT INTO orders VALUES (1, \'one\')")',
      'await client.end()',
    ),
    beforeBlock: {
      'diffRows(': join(
        'const later = new pg.Client({ connectionString: process.env.DATABASE_URL })',
        'await later.connect()',
        'const base = (await engine.backup()).snapshot.id',
        'await later.query("UPDATE orders SET t = \'uno\' WHERE id = 1")',
        'await later.end()',
        BACKUP,
      ),
    },
    after: join(
      "await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: './restored' } }))",
      CLOSE,
    ),
  },
  'docs/repair.md': {
    before: join(
      ENGINE,
      "import { cp, readdir, rm } from 'node:fs/promises'",
      "import { join } from 'node:path'",
      BACKUP,
      "await cp('./backups', './second-disk', { recursive: true })",
      "const packs = (await readdir('./backups', { recursive: true, withFileTypes: true }))",
      "  .filter((each) => each.isFile() && each.parentPath.includes('packs'))",
      'await rm(join(packs[0]!.parentPath, packs[0]!.name))',
      check("!(await engine.verify({ level: 'data' })).sound"),
    ),
    instead: { '/mnt/second-disk/backup': './second-disk' },
    after: join(check("(await engine.verify({ level: 'data' })).sound"), CLOSE),
  },
  'docs/retention.md': {
    before: join(
      ENGINE,
      "import type { Retention } from 'holdfast'",
      SHOW,
      BACKUP,
      'const retention: Retention = { keepDaily: 7 }',
      'const id = (await engine.backup()).snapshot.id',
    ),
    beforeBlock: {
      'undoForget(': join(
        'const mistake = await engine.planForget({ snapshots: [id] })',
        'await engine.forget(mistake, { confirm: mistake.digest })',
      ),
    },
    after: CLOSE,
  },
  'docs/s3-source.md': {
    shared: true,
    instead: {
      "bucket: 'backups', region: 'eu-central-1'": `bucket: process.env.BUCKET!, prefix: 'a-bucket', ${STORE}`,
      "bucket: 'app-uploads', region: 'eu-central-1'": `bucket: process.env.UPLOADS!, ${STORE}`,
      "bucket: 'app-uploads-2', region: 'eu-central-1'": `bucket: process.env.BUCKET!, prefix: 'back', ${STORE}`,
      // The rest of the snapshot goes elsewhere; a plan has one place for each source.
      "snapshot: 'latest', to: { sinks: { uploads } }":
        "snapshot: 'latest', select: { sources: ['uploads'] }, to: { sinks: { uploads } }",
    },
    before: join(
      "import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'",
      "const client = new S3Client({ endpoint: process.env.S3_ENDPOINT!, region: 'us-east-1', forcePathStyle: true })",
      "await client.send(new PutObjectCommand({ Bucket: process.env.UPLOADS!, Key: 'public/a.txt', Body: 'some content' }))",
    ),
    afterBlock: { bringBack: 'await bringBack(engine)' },
    after: CLOSE,
  },
  'docs/stats.md': {
    before: join(ENGINE, SHOW, 'const draw = show', BACKUP),
    after: CLOSE,
  },
  'docs/targets.md': {
    before: join(ENGINE, "const target = localTarget('./probed')"),
    instead: {
      "bucket: 'acme-backups', prefix: 'prod', region: 'eu-central-1'": `bucket: process.env.BUCKET!, prefix: 'targets', ${STORE}`,
    },
    after: CLOSE,
  },
  'docs/zip.md': {
    before: join(
      ENGINE,
      "const other = await BackupEngine.open({ target: localTarget('./others'), key: rawKey('08'.repeat(32)) })",
      BACKUP,
    ),
    instead: { '/media/stick/': './' },
    after: join(
      check("(await other.snapshots({ kinds: ['import'] }).toArray()).length > 0"),
      'await other.close()',
      CLOSE,
    ),
  },
}
