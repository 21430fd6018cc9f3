/** The table of `npm run bench:host`. */
import type { Machine } from '../machine.ts'
import { median } from '../statistics.ts'
import { describeCpu, table } from '../table.ts'
import type { Latencies } from './load.ts'
import type { LoopDelay } from './server.ts'

/** What was seen during one phase. */
export interface Phase {
  readonly latencies: Latencies
  readonly loop: LoopDelay
}

export interface HostRound {
  /** Before and after the backups. */
  readonly idle: readonly Phase[]
  readonly backup: Phase
  readonly loadedBytesPerSecond: number
  readonly aloneBytesPerSecond: number
}

export interface HostReport {
  readonly machine: Machine
  /** Measured cost of one request's work on the idle machine. */
  readonly workMs: number
  readonly rate: number
  readonly rounds: readonly HostRound[]
}

type Pick = (phase: Phase) => number

const MEASURES: readonly (readonly [name: string, pick: Pick])[] = [
  ['HTTP latency p50, from the schedule', ({ latencies }) => latencies.scheduled.p50Ms],
  ['HTTP latency p99, from the schedule', ({ latencies }) => latencies.scheduled.p99Ms],
  ['HTTP latency p50, from sending', ({ latencies }) => latencies.sent.p50Ms],
  ['HTTP latency p99, from sending', ({ latencies }) => latencies.sent.p99Ms],
  ['HTTP latency, longest', ({ latencies }) => latencies.scheduled.maxMs],
  ['event loop delay p50', ({ loop }) => loop.p50Ms],
  ['event loop delay p99', ({ loop }) => loop.p99Ms],
  ['event loop delay, longest', ({ loop }) => loop.maxMs],
]

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length
const idle = (round: HostRound, pick: Pick): number => mean(round.idle.map(pick))
const ratio = (report: HostReport, pick: Pick): number =>
  median(report.rounds.map((round) => pick(round.backup) / idle(round, pick)))

function measureTable(report: HostReport): string {
  const body = MEASURES.map(([name, pick]) => [
    name,
    `${median(report.rounds.map((round) => idle(round, pick))).toFixed(2)} ms`,
    `${median(report.rounds.map((round) => pick(round.backup))).toFixed(2)} ms`,
    `${ratio(report, pick).toFixed(2)}×`,
  ])
  return table(['', 'load alone', 'load and backup', 'ratio'], body)
}

export interface HostGoals {
  readonly loopP99Ms: number
  /** The worse of the two ways to count a latency. */
  readonly httpP99Ratio: number
  readonly loadedBytesPerSecond: number
  readonly aloneBytesPerSecond: number
  /** Median of the ratio within each round. */
  readonly speedKept: number
}

export function judgeHost(report: HostReport): HostGoals {
  const { rounds } = report
  return {
    loopP99Ms: median(rounds.map((round) => round.backup.loop.p99Ms)),
    httpP99Ratio: Math.max(
      ratio(report, ({ latencies }) => latencies.scheduled.p99Ms),
      ratio(report, ({ latencies }) => latencies.sent.p99Ms),
    ),
    loadedBytesPerSecond: median(rounds.map((round) => round.loadedBytesPerSecond)),
    aloneBytesPerSecond: median(rounds.map((round) => round.aloneBytesPerSecond)),
    speedKept: median(rounds.map((round) => round.loadedBytesPerSecond / round.aloneBytesPerSecond)),
  }
}

function goalsTable(goals: HostGoals): string {
  const met = (is: boolean): string => (is ? 'met' : 'missed')
  const speed = (bytesPerSecond: number): string => `${(bytesPerSecond / 1e6).toFixed(0)} MB/s`
  const kept = `${speed(goals.loadedBytesPerSecond)} of ${speed(goals.aloneBytesPerSecond)} (${Math.round(goals.speedKept * 100)} %)`
  return table(
    ['Host', 'Must', 'Measured', ''],
    [
      ['event loop p99', '≤ 20 ms', `${goals.loopP99Ms.toFixed(2)} ms`, met(goals.loopP99Ms <= 20)],
      ['HTTP p99', '≤ 2× of load alone', `${goals.httpP99Ratio.toFixed(2)}×`, met(goals.httpP99Ratio <= 2)],
      ['speed that a backup keeps', 'stated', kept, ''],
    ],
  )
}

export function toMarkdown(report: HostReport): string {
  const phases = report.rounds.flatMap((round) => [...round.idle, round.backup])
  const sum = (pick: Pick): number => phases.reduce((total, phase) => total + pick(phase), 0)
  const facts = [
    `- Machine: ${describeCpu(report.machine)}; Node ${report.machine.node}`,
    `- Load: ${report.rate} requests a second on a fixed schedule from another process, ${report.workMs.toFixed(2)} ms of work each; ${sum((p) => p.latencies.failed)} of ${sum((p) => p.latencies.requests)} requests failed`,
    `- Medians of ${report.rounds.length} rounds; loop delays without the 5 ms between two samples`,
  ]
  return [facts.join('\n'), measureTable(report), goalsTable(judgeHost(report))].join('\n\n')
}
