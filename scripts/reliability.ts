/**
 * `npm run reliability [-- --seeds 3] [--line NAME]`: backups, checks and restores over bad lines to a real S3 gateway, and
 * the table of docs/reliability.md that says what came of it. It fails where anything was lost or a fault never struck.
 */
import { parseArgs } from 'node:util'
import { table } from '../bench/table.ts'
import { startS3 } from '../test/servers/s3.ts'
import { type BadLine, type Outcome, overBadLine } from './reliability/bad-line.ts'
import { ALL_TOGETHER, LINES } from './reliability/lines.ts'
import { writeReport } from './soak/report.ts'

const TREE = { files: 300, smallBytes: 6000, large: 3, largeBytes: 5_000_000 }
const TIME_OUT_MS = 1000
/** Waits are cut to a twentieth, so that the whole takes minutes. */
const HURRY = 20

function rowOf({ name }: BadLine, outcomes: readonly Outcome[]): string[] {
  const sum = (of: (one: Outcome) => number): string => String(outcomes.reduce((total, one) => total + of(one), 0))
  const exact = outcomes.filter(isWhole).length
  const slowest = Math.max(...outcomes.map(({ seconds }) => seconds)).toFixed(1)
  return [
    name,
    sum(({ requests }) => requests),
    sum(({ faults }) => faults),
    sum(({ retries }) => retries),
    sum(({ again }) => again.length),
    `${exact} of ${outcomes.length}`,
    `${slowest} s`,
  ]
}

function isWhole({ snapshots, sound, differences, missed }: Outcome): boolean {
  return snapshots === 2 && sound && differences.length === 0 && !missed
}

const HEAD = ['Fault', 'requests', 'faults', 'calls tried again', 'verbs called again', 'all exact', 'slowest']

function textOf(rows: readonly (readonly string[])[], seeds: readonly number[]): string {
  const { files, large, largeBytes } = TREE
  const megabytes = (large * largeBytes) / 1e6
  return `Seeds ${seeds.join(', ')}; each: ${files} small files and ${large} large ones (${megabytes} MB), two backups, \`verify\` of all
data, one restore that is compared. ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, Ceph's gateway on loopback, time-outs
after ${TIME_OUT_MS} ms, waits cut to 1/${HURRY}.

${table(HEAD, rows)}`
}

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '3' }, line: { type: 'string' } } })
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1)
const lines = [...LINES, ALL_TOGETHER].filter(({ name }) => values.line === undefined || name === values.line)
const server = await startS3()
const rows: string[][] = []
for (const line of lines) {
  const outcomes: Outcome[] = []
  for (const seed of seeds) {
    const outcome = await overBadLine(server, line, { tree: TREE, seed, hurry: HURRY, requestTimeoutMs: TIME_OUT_MS })
    if (!isWhole(outcome)) process.exitCode = 1
    outcomes.push(outcome)
  }
  rows.push(rowOf(line, outcomes))
  console.log(rows.at(-1)?.join('  '))
}
await server.stop()
// A part of the table is no table, and a failure is for whoever reads the output.
if (values.line === undefined && process.exitCode === undefined) writeReport('bad lines', textOf(rows, seeds))
