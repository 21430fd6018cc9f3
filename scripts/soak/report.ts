/** The result for people, and in docs/reliability.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bytes, count } from '../demo/format.ts'
import type { Leftovers } from './check.ts'
import type { SoakResult } from './soak.ts'

const PAGE = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))

export function report(command: string, where: string, { figures, checked, problems }: SoakResult): string {
  const { kills, prunes } = figures
  const rows: readonly (readonly [string, string])[] = [
    ['Time', `${Math.round(figures.ranMs / 1000)} s, in ${where}`],
    ['Processes started', `${figures.starts}`],
    [
      '`kill -9`',
      `${kills.backup + kills.restore + kills.prune}: ${kills.backup} of writers, ${kills.restore} of the one that restores, ${kills.prune} of the one that prunes`,
    ],
    ['Backups begun', `${figures.begun}, of which ${figures.cutShort} did not come to their end`],
    ['Snapshots that a writer was told of', `${figures.commits}`],
    ['Snapshots whose writer died before it was told', `${figures.unsaid}`],
    [
      'Uploaded',
      `${bytes(figures.uploadedBytes)}, of which ${bytes(figures.uploadedByKilledBytes)} by backups that were killed`,
    ],
    [
      'Uploaded again because of a kill',
      `${bytes(figures.repeatedBytes)}: ${share(figures.repeatedBytes, figures.uploadedBytes)} of all (${share(figures.repeatedBytes, figures.uploadedByKilledBytes)} of what killed backups had uploaded)`,
    ],
    [
      'Restored and compared meanwhile',
      `${count(figures.restores, 'snapshot')}, ${bytes(figures.restoredBytes)}; ${figures.overtaken} were forgotten meanwhile, ${figures.restoresAgain} begun again since prunes took packs away`,
    ],
    [
      'Prunes',
      `${prunes.done} done, ${prunes.pending} not decided; ${count(prunes.deletedPacks, 'pack')} deleted, ${prunes.rewrittenPacks} rewritten, ${prunes.rescued} rescued`,
    ],
    ['Forgotten', `${figures.forgotten}`],
    ['Failed for a passing reason, and begun again', list(figures.retried)],
    [
      'Restored and compared at the end',
      `all ${checked.staying} that there were: ${checked.exact} exact (${bytes(checked.restoredBytes)})`,
    ],
    ['Left by the killed', leftovers(checked.left)],
    ...(checked.leftAfterPrune ? [['Left after a last prune', leftovers(checked.leftAfterPrune)] as const] : []),
    ['Objects at the end', `${checked.objects}`],
    ['Lost, or not exact', problems.length === 0 ? '**nothing**' : `**${problems.length}**`],
  ]
  const lines = ['```sh', command, '```', '', ...tableOf(rows)]
  return [...lines, ...problems.map((problem) => `\n${problem}`)].join('\n')
}

function tableOf(rows: readonly (readonly [string, string])[]): string[] {
  const all: readonly (readonly [string, string])[] = [['', ''], ...rows]
  const [left, right] = [widest(all, 0), widest(all, 1)]
  const line = ([one, other]: readonly [string, string]): string => `| ${one.padEnd(left)} | ${other.padEnd(right)} |`
  return [line(['', '']), line(['-'.repeat(left), '-'.repeat(right)]), ...rows.map(line)]
}

function widest(rows: readonly (readonly [string, string])[], column: 0 | 1): number {
  return Math.max(...rows.map((row) => row[column].length))
}

function share(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(1)} %`
}

function list(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([code, n]) => `${n} × ${code}`)
      .join(', ') || 'nothing'
  )
}

function leftovers({ runs, packs, openPrunes, trash, unfinished }: Leftovers): string {
  const parts = [
    [runs, 'in `runs/`'],
    [packs, 'packs that nothing names'],
    [openPrunes, 'prunes without an outcome'],
    [trash, 'in `trash/`'],
    [unfinished, 'uploads not finished'],
  ] as const
  return parts.map(([n, what]) => `${n} ${what}`).join(', ')
}

/** Puts it between the marks of that name. @throws Error where the page has none */
export function writeReport(name: string, text: string): void {
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : ''
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`docs/reliability.md has no place between ${begin} and ${end}`)
  writeFileSync(PAGE, `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`)
}
