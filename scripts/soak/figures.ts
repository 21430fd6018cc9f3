/** What the journals say, in numbers. */
import type { Written } from './journal.ts'
import type { ActorPlan, Keeper } from './keeper.ts'
import type { Role } from './settings.ts'

export interface Figures {
  readonly ranMs: number
  readonly starts: number
  /** By role. */
  readonly kills: Readonly<Record<Role, number>>
  readonly begun: number
  /** Backups that were killed. */
  readonly cutShort: number
  readonly commits: number
  /** Snapshots of writers that died before they could say so. */
  readonly unsaid: number
  readonly forgotten: number
  readonly restores: number
  readonly restoredBytes: number
  readonly overtaken: number
  /** Restores that were begun again, since prunes took packs away meanwhile. */
  readonly restoresAgain: number
  /** Codes of what failed, was seen to be retryable, and was begun again. */
  readonly retried: Readonly<Record<string, number>>
  readonly uploadedBytes: number
  /** By backups that were then killed. */
  readonly uploadedByKilledBytes: number
  /** Of packs that no fragment names, since the kill came before it: the next run uploads their content again. */
  readonly repeatedBytes: number
  readonly prunes: {
    readonly done: number
    readonly pending: number
    readonly deletedPacks: number
    readonly rewrittenPacks: number
    readonly rescued: number
    readonly freedBytes: number
  }
  readonly problems: readonly string[]
}

export interface FiguresOf {
  readonly journals: ReadonlyMap<string, Written[]>
  readonly actors: readonly ActorPlan[]
  readonly keepers: readonly Keeper[]
  readonly ranMs: number
  readonly listed: readonly string[]
}

type Of<What extends Written['what']> = Extract<Written, { what: What }>

export function figuresOf({ journals, actors, keepers, ranMs, listed }: FiguresOf): Figures {
  const lines = [...journals.values()].flat()
  const of = <What extends Written['what']>(what: What): Of<What>[] =>
    lines.filter((line): line is Of<What> => line.what === what)
  const writers = actors.filter(({ role }) => role === 'backup').map(({ name }) => journals.get(name) ?? [])
  const runs = writers.flatMap(runsOf)
  const cut = runs.filter(({ isCommitted }) => !isCommitted)
  const said = new Set(of('commit').map(({ id }) => id))
  const prunes = of('pruned')
  const failed = of('failed')
  return {
    ranMs,
    starts: keepers.reduce((n, { lives }) => n + lives, 0),
    kills: killsByRole(keepers),
    begun: runs.length,
    cutShort: cut.length,
    commits: said.size,
    unsaid: listed.filter((id) => !said.has(id)).length,
    forgotten: new Set(of('forget').flatMap(({ ids }) => ids)).size,
    restores: of('restored').length,
    restoredBytes: sum(of('restored'), ({ bytes }) => bytes),
    overtaken: of('overtaken').length,
    restoresAgain: of('again').length,
    retried: countBy(failed.filter(({ retryable }) => retryable).map(({ code }) => code)),
    uploadedBytes: sum(runs, ({ uploaded }) => uploaded),
    uploadedByKilledBytes: sum(cut, ({ uploaded }) => uploaded),
    repeatedBytes: sum(cut, ({ uploaded, named }) => uploaded - named),
    prunes: {
      done: prunes.filter(({ state }) => state === 'done').length,
      pending: prunes.filter(({ state }) => state === 'pending').length,
      deletedPacks: sum(prunes, ({ deletedPacks }) => deletedPacks),
      rewrittenPacks: sum(prunes, ({ rewrittenPacks }) => rewrittenPacks),
      rescued: sum(prunes, ({ rescued }) => rescued),
      freedBytes: sum(prunes, ({ freedBytes }) => freedBytes),
    },
    problems: [
      ...of('different').map(({ id, how }) => `a restore of ${id} was not exact: ${how.join('; ')}`),
      ...failed.filter(({ retryable }) => !retryable).map(({ message }) => message),
    ],
  }
}

function killsByRole(keepers: readonly Keeper[]): Record<Role, number> {
  const kills = { backup: 0, restore: 0, prune: 0 }
  for (const { plan, kills: n } of keepers) kills[plan.role] += n
  return kills
}

interface RunBytes {
  /** Of packs, also of one whose upload the kill has cut. */
  uploaded: number
  /** Of those the ones that a fragment names. */
  named: number
  isCommitted: boolean
}

/** A fragment names the packs that were there when its own upload began. */
function runsOf(lines: readonly Written[]): RunBytes[] {
  const runs: RunBytes[] = []
  let stored = 0
  const behind = new Map<string, number>()
  for (const line of lines) {
    const run = runs.at(-1)
    if (line.what === 'begin') {
      runs.push({ uploaded: 0, named: 0, isCommitted: false })
      stored = 0
      behind.clear()
    } else if (run === undefined) continue
    else if (line.what === 'commit') run.isCommitted = true
    else if (line.what === 'put' || line.what === 'stored') {
      const isPack = line.key.startsWith('packs/')
      if (isPack && line.what === 'put') run.uploaded += line.bytes
      else if (isPack) stored += line.bytes
      else if (line.what === 'put') behind.set(line.key, stored)
      else run.named = Math.max(run.named, behind.get(line.key) ?? 0)
    }
  }
  return runs
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}
