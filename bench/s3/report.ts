/** From measured rows to tables: medians, ratios of pairs, and the numbers that must be met. */
import { REMOTE_PACK_BYTES } from '../../src/model/pack.ts'
import type { Machine } from '../machine.ts'
import { median } from '../statistics.ts'
import { describeCpu, table } from '../table.ts'
import { type RoundsResult, type Row, requestsOf, SETS, type SetName, STEPS, type Step } from './rounds.ts'

export interface Report {
  readonly machine: Machine
  readonly versions: readonly string[]
  readonly data: { readonly files: number; readonly bytes: number; readonly from: string }
  readonly rounds: number
  readonly roundTripMs: number
  readonly result: RoundsResult
}

type Peer = Row['peer']
const PEERS: readonly Peer[] = ['holdfast', 'restic']
const STEP_NAMES: Record<Step, string> = {
  first: 'first backup',
  unchanged: 'unchanged',
  'unchanged-cold': 'unchanged, nothing cached',
  'unchanged-open': 'unchanged, open engine',
  restore: 'restore all',
}

interface Field {
  readonly name: string
  readonly sets: readonly SetName[]
  of(row: Row): number | undefined
  show(value: number): string
}

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 10e6 ? 2 : 0)} MB`
const each = (row: Row, value: number | undefined): number | undefined =>
  value === undefined ? undefined : value / row.backups

const FIELDS: readonly Field[] = [
  { name: 'Wall time', sets: SETS, of: (row) => row.wallMs, show: seconds },
  { name: 'CPU time of the program', sets: SETS, of: (row) => row.cpuMs, show: seconds },
  { name: 'CPU time of the gateway', sets: SETS, of: (row) => row.gatewayCpuMs, show: seconds },
  { name: 'Peak memory of the program', sets: SETS, of: (row) => row.peakBytes, show: megabytes },
  { name: 'Requests', sets: ['delayed'], of: (row) => each(row, row.traffic && requestsOf(row.traffic)), show: String },
  { name: 'Bytes sent', sets: ['delayed'], of: (row) => each(row, row.traffic?.upBytes), show: megabytes },
  { name: 'Bytes received', sets: ['delayed'], of: (row) => each(row, row.traffic?.downBytes), show: megabytes },
]

type Filter = Partial<Pick<Row, 'set' | 'peer' | 'step' | 'round'>>

function rowsOf(rows: readonly Row[], wanted: Filter): Row[] {
  return rows.filter((row) => Object.entries(wanted).every(([name, value]) => row[name as keyof Filter] === value))
}

function middle(rows: readonly Row[], field: Field): number | undefined {
  const found = rows.map((row) => field.of(row)).filter((value) => value !== undefined)
  return found.length === 0 ? undefined : median(found)
}

/**
 * Median over the rounds of restic's figure divided by Holdfast's of the same round. An open engine is compared with
 * restic's whole process: that is what a host that embeds the engine gains.
 */
function pairRatio(rows: readonly Row[], set: SetName, step: Step, field: Field): number | undefined {
  const theirs = step === 'unchanged-open' ? 'unchanged' : step
  const ratios = rowsOf(rows, { set, peer: 'restic', step: theirs }).flatMap((row) => {
    const own = rowsOf(rows, { set, peer: 'holdfast', step, round: row.round })[0]
    const [a, b] = [field.of(row), own && field.of(own)]
    return a === undefined || b === undefined || b === 0 ? [] : [a / b]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

function fieldTable(rows: readonly Row[], set: SetName, field: Field): string {
  const body = STEPS.map((step) => {
    const cells = PEERS.map((peer) => middle(rowsOf(rows, { set, peer, step }), field))
    const ratio = pairRatio(rows, set, step, field)
    const shown = cells.map((value) => (value === undefined ? '–' : field.show(value)))
    return [STEP_NAMES[step], ...shown, ratio === undefined ? '–' : `${ratio.toFixed(2)}×`]
  })
  return table(
    [field.name, ...PEERS, 'restic / holdfast'],
    body.filter((row) => row[1] !== '–'),
  )
}

/** How the requests of a step divide. The same in every round but for what depends on time. */
function methodsTable(rows: readonly Row[]): string {
  const counted = rows.filter(({ traffic }) => traffic !== undefined)
  const methods = [...new Set(counted.flatMap(({ traffic }) => Object.keys(traffic!.requests)))].sort()
  const body = STEPS.flatMap((step) =>
    PEERS.map((peer) => {
      const found = rowsOf(counted, { peer, step })
      const of = (value: (row: Row) => number): string =>
        median(found.map((row) => value(row) / row.backups)).toFixed(found[0]?.backups === 1 ? 0 : 1)
      if (found.length === 0) return []
      const cells = methods.map((method) => of((row) => row.traffic!.requests[method] ?? 0))
      return [
        `${STEP_NAMES[step]}, ${peer}`,
        ...cells,
        of((row) => row.traffic!.expecting),
        of((row) => row.traffic!.connections),
      ]
    }),
  )
  return table(
    ['Requests', ...methods, 'with Expect', 'connections'],
    body.filter((row) => row.length > 0),
  )
}

export interface NumberRow {
  readonly work: string
  readonly must: string
  readonly measured: string
  readonly met: boolean | undefined
}

function faster(rows: readonly Row[], set: SetName, step: Step): NumberRow {
  const ratio = pairRatio(rows, set, step, FIELDS[0]!)
  return {
    work: `${STEP_NAMES[step]}, ${set}`,
    must: '≥ 2× faster than restic',
    measured: ratio === undefined ? '–' : `${ratio.toFixed(2)}×`,
    met: ratio === undefined ? undefined : ratio >= 2,
  }
}

function fewer(rows: readonly Row[], step: Step): NumberRow {
  const of = (peer: Peer): number | undefined => middle(rowsOf(rows, { set: 'delayed', peer, step }), FIELDS[4]!)
  const [own, theirs] = [of('holdfast'), of('restic')]
  const isKnown = own !== undefined && theirs !== undefined
  return {
    work: `${STEP_NAMES[step]}, requests`,
    must: "≤ restic's",
    measured: isKnown ? `${own} of ${theirs}` : '–',
    met: isKnown ? own <= theirs : undefined,
  }
}

/** Whoever fills packs waits once two are on their way: each worker, and the one of pages. */
function uploadsInFlight(cores: number): number {
  return 2 * (cores + 1)
}

/** The highest of all rounds, not a median: a limit is a limit. */
function memory(rows: readonly Row[], cores: number): NumberRow {
  const peaks = rowsOf(rows, { peer: 'holdfast', step: 'first' }).map(({ peakBytes }) => peakBytes ?? Number.NaN)
  const limit = (uploadsInFlight(cores) + 2) * REMOTE_PACK_BYTES + 250e6
  const most = Math.max(...peaks)
  const isKnown = peaks.length > 0 && !Number.isNaN(most)
  return {
    work: 'memory while uploading',
    must: `≤ (uploads in flight + 2) × pack size + 250 MB: ${megabytes(limit)}`,
    measured: isKnown ? megabytes(most) : '–',
    met: isKnown ? most <= limit : undefined,
  }
}

/** The goals of the project, each with what was measured. */
export function judge({ machine, result: { rows } }: Report): NumberRow[] {
  return [
    ...SETS.flatMap((set) => [faster(rows, set, 'first'), faster(rows, set, 'restore')]),
    ...(['first', 'unchanged', 'unchanged-cold', 'restore'] as const).map((step) => fewer(rows, step)),
    memory(rows, machine.cores),
  ]
}

function numbersTable(report: Report): string {
  const body = judge(report).map(({ work, must, measured, met }) => [
    work,
    must,
    measured,
    met === undefined ? 'not measured' : met ? 'met' : 'missed',
  ])
  return table(['Work', 'Must', 'Measured', ''], body)
}

function facts({ machine, versions, data, rounds, roundTripMs, result }: Report): string {
  const equal = Object.entries(result.equal).map(([peer, same]) => `${peer} ${same ? 'equal' : 'DIFFERENT'}`)
  return [
    `- Machine: ${describeCpu(machine)}`,
    `- Programs: ${versions.join(', ')}; Node ${machine.node}; the gateway runs on the same cores`,
    `- Data: ${data.files} files and links, ${(data.bytes / 1e9).toFixed(2)} GB (${data.from}), in the page cache`,
    `- Restored trees of round 1, by \`diff -r --no-dereference\`: ${equal.join(', ')}`,
    `- Medians of ${rounds} rounds; ratios are medians of the ratio within each round; delayed: ${roundTripMs} ms more for a round trip`,
  ].join('\n')
}

/** The whole report in Markdown. */
export function toMarkdown(report: Report): string {
  const { rows } = report.result
  const sections = SETS.filter((set) => rows.some((row) => row.set === set)).flatMap((set) => [
    `**${set === 'loopback' ? 'Loopback' : `Loopback with ${report.roundTripMs} ms more`}**`,
    ...FIELDS.filter(({ sets }) => sets.includes(set)).map((field) => fieldTable(rows, set, field)),
  ])
  const counts = rows.some(({ traffic }) => traffic !== undefined) ? [methodsTable(rows)] : []
  return [facts(report), ...sections, ...counts, numbersTable(report)].join('\n\n')
}
