/** What came of it, for people, and in docs/reliability.md. */
import { bytes } from '../demo/format.ts'
import { type Round, VICTIMS } from './full.ts'
import type { KillResult, Work } from './kills.ts'

/** Of the work of backups that may be done twice. */
const GOAL = 0.2

export interface Found {
  readonly near: KillResult
  /** In a bucket. */
  readonly away: KillResult
  readonly rounds: readonly Round[]
}

export interface DiskReport extends Found {
  readonly command: string
  readonly megabytes: number
}

export function reportDisks({ command, megabytes, near, away, rounds }: DiskReport): string {
  const kills = [
    ['backup into a folder', near.backups],
    ['backup into a bucket', away.backups],
    ['restore from a folder', near.restores],
    ['restore from a bucket', away.restores],
  ] as readonly (readonly [string, Work])[]
  const [nearMet, awayMet] = [near, away].map(({ backups }) => met(backups))
  const lost = [near, away, ...rounds].flatMap(({ problems }) => problems)
  return [
    '```sh',
    command,
    '```',
    '',
    `Killed at a random moment, and made again (each of ${megabytes} MiB that are new):`,
    '',
    ...table([
      ['', '`kill -9`', 'done by then', 'done twice, a kill', 'of all work'],
      ...kills.map(([name, work]) => row(name, work)),
    ]),
    '',
    `At most 20 % of the work of backups is done twice: into a folder ${nearMet}, into a bucket ${awayMet}.`,
    '',
    'Disks that were full at a random point (of 0 to 90 % of what was needed; for a prune not a byte was left):',
    '',
    ...table([['', 'times', 'ended with', 'problems'], ...VICTIMS.map((victim) => victimRow(victim, rounds))]),
    '',
    `Lost, not exact, half-written, or not gone on with: ${lost.length === 0 ? '**nothing**' : `**${lost.length}**`}`,
    ...lost.map((problem) => `\n- ${problem}`),
  ].join('\n')
}

function met({ kills, bytes: all, repeatedBytes }: Work): string {
  if (kills === 0) return 'not tried'
  return repeatedBytes <= GOAL * all ? 'true' : '**not true**'
}

function row(name: string, { kills, bytes: all, repeatedBytes, killedBytes }: Work): string[] {
  const each = kills === 0 ? 0 : repeatedBytes / kills
  const share = all === 0 ? '' : `${((100 * repeatedBytes) / all).toFixed(1)} %`
  return [name, `${kills}`, bytes(Math.round(killedBytes)), bytes(Math.round(each)), share]
}

function victimRow(victim: Round['victim'], rounds: readonly Round[]): string[] {
  const own = rounds.filter((round) => round.victim === victim)
  const ends = Map.groupBy(own, ({ end }) => end)
  const said = [...ends].map(([end, list]) => (ends.size === 1 ? end : `${list.length} × ${end}`))
  return [victim, `${own.length}`, said.join('; '), `${own.flatMap(({ problems }) => problems).length || 'none'}`]
}

function table([head, ...rows]: readonly (readonly string[])[]): string[] {
  const all = [head!, ...rows]
  const widths = head!.map((_, column) => Math.max(3, ...all.map((cells) => cells[column]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}
