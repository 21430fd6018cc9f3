/**
 * Compares Holdfast with pg_dump, pg_restore and restic on a Postgres database that it makes in a server of its own:
 * `npm run bench:postgres -- [--size BYTES] [--rounds N] [--dir FOLDER] [--json FILE] [--keep] [--smoke]`.
 * BENCH_DIST names the folder of another build than ./dist.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { positive } from './data.ts'
import { describeMachine, ensureBuilt, requireSpace } from './machine.ts'
import { outputOf } from './measure.ts'
import { makeDatabase } from './postgres/database.ts'
import { judge, type Report, toMarkdown } from './postgres/report.ts'
import { runRounds } from './postgres/rounds.ts'

const { values } = parseArgs({
  options: {
    /** Of the tables, in bytes. */
    size: { type: 'string' },
    rounds: { type: 'string' },
    dir: { type: 'string', default: '.bench' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
    /** A minute instead of many: whether it works, not how fast. */
    smoke: { type: 'boolean', default: false },
  },
})
const size = positive('size', values.size ?? (values.smoke ? '40e6' : '1.2e9'))
const rounds = positive('rounds', values.rounds ?? (values.smoke ? '1' : '3'))

/** Of the tables' size: base, copy and restored database with their indexes and WAL; then what each round keeps. */
const SERVER_FACTOR = 6
const ROUND_FACTOR = 1.5

mkdirSync(values.dir, { recursive: true })
// First of all, so that the load average is not our own preparation's.
const machine = await describeMachine(values.dir)
if (!process.env.BENCH_DIST) ensureBuilt()
await requireSpace(values.dir, size * (SERVER_FACTOR + ROUND_FACTOR * rounds))
const restic = (await outputOf('restic', 'version'))?.split(' compiled')[0]
if (restic === undefined) console.error('restic is not installed and is left out')

console.error('making the database')
const database = await makeDatabase(size)
const folder = mkdtempSync(join(resolve(values.dir), 'postgres-'))
try {
  const result = await runRounds({
    database,
    folder,
    rounds,
    restic: restic !== undefined,
    report: console.error,
  })
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const { server, bytes, accountsBytes } = database
  const versions = [`holdfast ${version}`, `Postgres ${server.version}`, ...(restic === undefined ? [] : [restic])]
  const report: Report = { machine, versions, bytes, accountsBytes, rounds, result }
  console.log(toMarkdown(report))
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...report, numbers: judge(report) }, null, 2)}\n`)
} finally {
  await database.server.stop()
  if (values.keep) console.error(`kept: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
