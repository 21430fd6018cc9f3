/** From measured rows to tables: medians, ratios of pairs, and the numbers that must be met. */
import type { Machine } from '../machine.ts'
import { median } from '../statistics.ts'
import { describeCpu, table } from '../table.ts'
import { PEERS, type PeerName, type RoundsResult, type Row, STEPS, type Step } from './rounds.ts'

export interface Report {
  readonly machine: Machine
  readonly versions: readonly string[]
  readonly bytes: number
  readonly accountsBytes: number
  readonly rounds: number
  readonly result: RoundsResult
}

const STEP_NAMES: Record<Step, string> = {
  first: 'first backup',
  unchanged: 'unchanged again',
  'unchanged-xmin': "unchanged, incremental 'xmin'",
  changed: '1 % of documents updated, 30,000 events appended',
  accounts: '1 % of pgbench_accounts updated',
  holes: 'VACUUM, 1 % into old holes',
  restore: 'restore all',
}

type Field = 'wallMs' | 'cpuMs' | 'peakBytes' | 'storedBytes'
const FIELDS: Record<Field, { name: string; show(value: number): string }> = {
  wallMs: { name: 'Wall time', show: (value) => `${(value / 1000).toFixed(1)} s` },
  cpuMs: { name: 'CPU time (without the server)', show: (value) => `${(value / 1000).toFixed(1)} s` },
  peakBytes: { name: 'Peak memory of the process tree', show: (value) => `${Math.round(value / 1e6)} MB` },
  storedBytes: { name: 'Stored', show: (value) => `${(value / 1e6).toFixed(2)} MB` },
}

function values(rows: readonly Row[], peer: PeerName, step: Step, field: keyof Row): number[] {
  const found = rows.filter((row) => row.peer === peer && row.step === step).map((row) => row[field])
  return found.filter((value) => typeof value === 'number')
}

function fieldTable({ result }: Report, field: Field): string {
  const { name, show } = FIELDS[field]
  const peers = PEERS.filter((peer) => result.rows.some((row) => row.peer === peer))
  const body = STEPS.map((step) => {
    const cells = peers.map((peer) => values(result.rows, peer, step, field))
    return [STEP_NAMES[step], ...cells.map((found) => (found.length === 0 ? '–' : show(median(found))))]
  })
  return table(
    [name, ...peers],
    body.filter((row) => row.slice(1).some((cell) => cell !== '–')),
  )
}

/** Median over the rounds of one figure divided by another of the same round. */
function ratio(
  rows: readonly Row[],
  field: Field,
  over: [PeerName, Step],
  under: [PeerName, Step],
): number | undefined {
  const of = ([peer, step]: [PeerName, Step], round: number): number | undefined =>
    rows.find((row) => row.peer === peer && row.step === step && row.round === round)?.[field]
  const ratios = [...new Set(rows.map((row) => row.round))].flatMap((round) => {
    const [a, b] = [of(over, round), of(under, round)]
    return a === undefined || b === undefined || b === 0 ? [] : [a / b]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

export interface NumberRow {
  readonly work: string
  readonly must: string
  readonly measured: number | undefined
  readonly met: boolean | undefined
  readonly unit: '×' | '%' | 'MB' | 'ms'
}

const RESTIC = 'pg_dump -Z0 to restic'

/** The goals of the project, each with what was measured. */
export function judge({ result, accountsBytes }: Report): NumberRow[] {
  const { rows } = result
  const faster = (work: string, must: string, goal: number, over: [PeerName, Step], own: Step): NumberRow =>
    row(work, must, ratio(rows, 'wallMs', over, ['holdfast', own]), (value) => value >= goal, '×')
  const own = rows.filter((one) => one.peer === 'holdfast')
  const middle = (found: number[], scale: number): number | undefined =>
    found.length === 0 ? undefined : median(found) / scale
  const most = (found: number[], scale: number): number | undefined =>
    found.length === 0 ? undefined : Math.max(...found) / scale
  const unchanged = middle(values(rows, 'holdfast', 'unchanged', 'storedBytes'), 1e6)
  const stored = (step: Step): NumberRow => {
    const found = ratio(rows, 'storedBytes', ['holdfast', step], [RESTIC, step])
    return row(STEP_NAMES[step], '≤ 1/3 of what restic stores', found, (value) => value <= 1 / 3, '×')
  }
  const holes = middle(values(rows, 'holdfast', 'holes', 'newBytes'), accountsBytes / 100)
  const peaks = own.flatMap((one) => one.peakBytes ?? [])
  const delays = own.flatMap((one) => one.loopP99Ms ?? [])
  return [
    faster('first backup', '≥ 2× faster than pg_dump -Fc', 2, ['pg_dump -Fc', 'first'], 'first'),
    faster('first backup', '≥ pg_dump -Fc -Z0 into restic', 1, [RESTIC, 'first'], 'first'),
    row('unchanged again', '≤ 1 MB stored', unchanged, (value) => value <= 1, 'MB'),
    faster("unchanged, 'xmin'", '≥ 4× faster than reading all', 4, ['holdfast', 'unchanged'], 'unchanged-xmin'),
    stored('changed'),
    stored('accounts'),
    row(STEP_NAMES.holes, '≤ 3 % of the table anew', holes, (value) => value <= 3, '%'),
    faster('restore', '≥ 1.5× faster than pg_restore', 1.5, ['pg_restore', 'restore'], 'restore'),
    faster('restore', '≥ pg_restore -j2', 1, ['pg_restore -j2', 'restore'], 'restore'),
    row('peak memory', '≤ 300 MB in every step', most(peaks, 1e6), (value) => value <= 300, 'MB'),
    row('event loop p99', '≤ 20 ms in every step', most(delays, 1), (value) => value <= 20, 'ms'),
  ]
}

function row(
  work: string,
  must: string,
  measured: number | undefined,
  test: (value: number) => boolean,
  unit: NumberRow['unit'],
): NumberRow {
  return { work, must, measured, met: measured === undefined ? undefined : test(measured), unit }
}

function numbersTable(report: Report): string {
  const body = judge(report).map(({ work, must, measured, met, unit }) => [
    work,
    must,
    measured === undefined ? '–' : `${measured.toFixed(2)}${unit === '×' ? '' : ' '}${unit}`,
    met === undefined ? 'not measured' : met ? 'met' : 'missed',
  ])
  return table(['Work', 'Must', 'Measured', ''], body)
}

/** The whole report in Markdown. */
export function toMarkdown(report: Report): string {
  const { machine, versions, bytes, rounds, result } = report
  const equal = Object.entries(result.equal).map(([peer, same]) => `${peer} ${same ? 'equal' : 'DIFFERENT'}`)
  const facts = [
    `- Machine: ${describeCpu(machine)}`,
    `- Programs: ${versions.join(', ')}; Node ${machine.node}`,
    `- Database: ${(bytes / 1e9).toFixed(2)} GB with indexes: pgbench, text and jsonb, random bytea; server on the same machine, fsync off`,
    `- Restored databases of round 1, by rows and hashes of every table: ${equal.join(', ')}`,
    `- Medians of ${rounds} rounds; ratios are medians of the ratio within each round`,
    ...(result.xmin ? [] : ["- This build has no incremental: 'xmin'"]),
  ].join('\n')
  const fields = Object.keys(FIELDS) as Field[]
  return [facts, ...fields.map((field) => fieldTable(report, field)), numbersTable(report)].join('\n\n')
}
