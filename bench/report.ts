/** From measured rows to tables: medians, ratios of pairs, and the numbers that must be met. */
import type { Machine } from './machine.ts'
import { type RoundsResult, type Row, STEPS, type Step } from './rounds.ts'
import { median } from './statistics.ts'
import { describeCpu, table } from './table.ts'

export interface Report {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly data: { readonly files: number; readonly bytes: number; readonly from: string }
  readonly rounds: number
  readonly result: RoundsResult
}

const STEP_NAMES: Record<Step, string> = {
  first: 'first backup',
  unchanged: 'unchanged',
  'unchanged-open': 'unchanged, open engine',
  changed: '1 % changed',
  restore: 'restore all',
  verify: 'verify all data',
}

type Field = 'wallMs' | 'cpuMs' | 'peakBytes' | 'repositoryBytes'

function values(rows: readonly Row[], peer: string, step: Step, field: Field): number[] {
  const found = rows.filter((row) => row.peer === peer && row.step === step).map((row) => row[field])
  return found.filter((value) => value !== undefined)
}

/**
 * Median over the rounds of one program's figure divided by another's of the same round. An open engine is compared with
 * the other's whole process: that is what a host that embeds the engine gains.
 */
function pairRatio(rows: readonly Row[], step: Step, field: Field, over: string, under: string): number | undefined {
  const overStep = step === 'unchanged-open' ? 'unchanged' : step
  const top = rows.filter((row) => row.peer === over && row.step === (over === 'restic' ? overStep : step))
  const ratios = top.flatMap((row) => {
    const wanted = under === 'restic' ? overStep : step
    const pair = rows.find((other) => other.peer === under && other.step === wanted && other.round === row.round)
    const [a, b] = [row[field], pair?.[field]]
    return a === undefined || b === undefined || b === 0 ? [] : [a / b]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

const UNITS: Record<Field, (value: number) => string> = {
  wallMs: (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`),
  cpuMs: (value) => `${(value / 1000).toFixed(1)} s`,
  peakBytes: (value) => `${Math.round(value / 1e6)} MB`,
  repositoryBytes: (value) => `${(value / 1e6).toFixed(1)} MB`,
}
const FIELD_NAMES: Record<Field, string> = {
  wallMs: 'Wall time',
  cpuMs: 'CPU time',
  peakBytes: 'Peak memory of the process tree',
  repositoryBytes: 'Repository size',
}

function fieldTable(report: Report, field: Field): string {
  const { rows } = report.result
  const peers = Object.keys(report.versions)
  const body = STEPS.map((step) => {
    const cells = peers.map((peer) => {
      const found = values(rows, peer, step, field)
      return found.length === 0 ? '–' : UNITS[field](median(found))
    })
    const ratio = pairRatio(rows, step, field, 'holdfast', 'restic')
    return [STEP_NAMES[step], ...cells, ratio === undefined ? '–' : `${ratio.toFixed(2)}×`]
  })
  return table(
    [FIELD_NAMES[field], ...peers, 'holdfast / restic'],
    body.filter((row) => row.slice(1).some((c) => c !== '–')),
  )
}

export interface NumberRow {
  readonly work: string
  readonly must: string
  readonly measured: number | undefined
  readonly met: boolean | undefined
}

function atLeast(report: Report, step: Step, goal: number): NumberRow {
  const measured = pairRatio(report.result.rows, step, 'wallMs', 'restic', 'holdfast')
  const met = measured === undefined ? undefined : measured >= goal
  return { work: STEP_NAMES[step], must: `≥ ${goal}× faster than restic`, measured, met }
}

function atMost(report: Report, field: Field, work: string, must: string, goal: number): NumberRow {
  const measured = pairRatio(report.result.rows, 'first', field, 'holdfast', 'restic')
  return { work, must, measured, met: measured === undefined ? undefined : measured <= goal }
}

/** The highest of all steps and rounds, not a median: a limit is a limit. */
function peakMemory(report: Report): NumberRow {
  const peaks = report.result.rows.filter((row) => row.peer === 'holdfast').map((row) => row.peakBytes ?? Number.NaN)
  const measured = peaks.length === 0 || peaks.some(Number.isNaN) ? undefined : Math.max(...peaks) / 1e6
  return {
    work: 'peak memory',
    must: '≤ 300 MB in every step',
    measured,
    met: measured === undefined ? undefined : measured <= 300,
  }
}

/** The goals of the project, each with what was measured. */
export function judge(report: Report): NumberRow[] {
  return [
    atLeast(report, 'first', 3),
    atMost(report, 'cpuMs', 'first backup, CPU', '≤ 0.4× of restic', 0.4),
    atMost(report, 'repositoryBytes', 'first backup, repository', '≤ restic', 1),
    atLeast(report, 'unchanged', 5),
    atLeast(report, 'unchanged-open', 10),
    atLeast(report, 'changed', 5),
    atLeast(report, 'restore', 4),
    atLeast(report, 'verify', 3),
    peakMemory(report),
  ]
}

function numbersTable(report: Report): string {
  const body = judge(report).map(({ work, must, measured, met }) => [
    work,
    must,
    measured === undefined ? '–' : work === 'peak memory' ? `${Math.round(measured)} MB` : `${measured.toFixed(2)}×`,
    met === undefined ? 'not measured' : met ? 'met' : 'missed',
  ])
  return table(['Work', 'Must', 'Measured', ''], body)
}

function facts({ machine, versions, data, rounds, result }: Report): string {
  const change = result.changes[0]
  const equal = Object.entries(result.equal).map(([peer, same]) => `${peer} ${same ? 'equal' : 'DIFFERENT'}`)
  return [
    `- Machine: ${describeCpu(machine)}`,
    `- Programs: ${Object.values(versions).join(', ')}; Node ${machine.node}`,
    `- Data: ${data.files} files and links, ${(data.bytes / 1e9).toFixed(2)} GB (${data.from}), in the page cache`,
    ...(change
      ? [
          `- Change: ${change.edited} edited, ${change.rewritten} rewritten, ${change.added} new, ${change.deleted} deleted`,
        ]
      : []),
    `- Restored trees of round 1, by \`diff -r --no-dereference\`: ${equal.join(', ')}`,
    `- Medians of ${rounds} rounds; ratios are medians of the ratio within each round`,
  ].join('\n')
}

/** The whole report in Markdown. */
export function toMarkdown(report: Report): string {
  const fields = Object.keys(FIELD_NAMES) as Field[]
  return [facts(report), ...fields.map((field) => fieldTable(report, field)), numbersTable(report)].join('\n\n')
}
