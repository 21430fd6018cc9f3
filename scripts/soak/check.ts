/** After the soak: is everything there that was committed, exactly, and nothing in the way of what comes next? */
import { type BackupEngine, type Clock, type Snapshot, systemClock } from '../../src/index.ts'
import { objectsOf } from './ground.ts'
import { forgettable, readJournal, type Written } from './journal.ts'
import { GENERATION, writeManifest } from './role-backup.ts'
import { DEAD_RUN_MS } from './role-prune.ts'
import { restoreAndCompare } from './role-restore.ts'
import { openEngine } from './settings.ts'
import type { SoakOptions } from './soak.ts'

export interface Checked {
  /** After all had stopped. */
  readonly listed: readonly string[]
  /** At the very end, with one more of each writer, and without what the last prune was given to do. */
  readonly staying: number
  /** Snapshots that were restored again and are what was written down. */
  readonly exact: number
  readonly restoredBytes: number
  /** What the killed have left. */
  readonly left: Leftovers
  /** After a last prune; absent where nobody prunes. */
  readonly leftAfterPrune?: Leftovers
  readonly objects: number
  readonly problems: readonly string[]
}

export interface Leftovers {
  readonly runs: number
  /** That no fragment names. */
  readonly packs: number
  /** Prunes without an outcome. */
  readonly openPrunes: number
  readonly trash: number
  readonly unfinished: number
}

const AT_ONCE = 2
const DAYS_LATER_MS = 2 * 24 * 60 * 60 * 1000

export async function checkAll(options: SoakOptions, journals: ReadonlyMap<string, Written[]>): Promise<Checked> {
  const problems: string[] = []
  const check = new Check(options, problems)
  const engine = await openEngine(placeOf(options), check.writers[0]!)
  try {
    const snapshots = await engine.snapshots().toArray()
    check.nothingMissing(snapshots, journals)
    await check.sound(engine, 'after the soak')
    options.say('sound')
    const left = await check.leftovers()
    options.say(`left: ${JSON.stringify(left)}`)
    await check.nextBackups()
    options.say('the next backups are exact')
    const leftAfterPrune = await check.lastPrune()
    const staying = await engine.snapshots().toArray()
    const { exact, restoredBytes } = await check.restoreAll(engine, staying)
    const objects = [...(await objectsOf(options.ground.place)).values()].reduce((sum, keys) => sum + keys.length, 0)
    const listed = snapshots.map(({ id }) => id)
    return {
      listed,
      staying: staying.length,
      exact,
      restoredBytes,
      left,
      ...(leftAfterPrune && { leftAfterPrune }),
      objects,
      problems,
    }
  } finally {
    await engine.close()
  }
}

function placeOf({ ground, folder, hurry }: SoakOptions): {
  place: SoakOptions['ground']['place']
  folder: string
  hurry: number
} {
  return { place: ground.place, folder, hurry }
}

class Check {
  readonly writers: readonly string[]
  readonly #options: SoakOptions
  readonly #problems: string[]

  constructor(options: SoakOptions, problems: string[]) {
    this.#options = options
    this.#problems = problems
    this.writers = options.actors.filter(({ role }) => role === 'backup').map(({ name }) => name)
  }

  /** Every snapshot that a writer was told of, but for those that somebody set out to forget. */
  nothingMissing(snapshots: readonly Snapshot[], journals: ReadonlyMap<string, Written[]>): void {
    const there = new Set(snapshots.map(({ id }) => id))
    const leaving = forgettable(this.#options.folder, [...journals.keys()])
    for (const [name, lines] of journals) {
      for (const line of lines) {
        if (line.what !== 'commit' || there.has(line.id) || leaving.has(line.id)) continue
        this.#problems.push(`${name} was told that ${line.id} is committed, and it is not there`)
      }
    }
  }

  async sound(engine: BackupEngine, when: string): Promise<void> {
    const { sound, findings } = await engine.verify({ level: 'data' })
    const harm = findings.filter(({ severity }) => severity !== 'info')
    if (!sound || harm.length > 0) this.#problems.push(`${when} verify finds: ${JSON.stringify(harm)}`)
  }

  async restoreAll(
    engine: BackupEngine,
    snapshots: readonly Snapshot[],
  ): Promise<{ exact: number; restoredBytes: number }> {
    const rest = [...snapshots]
    let exact = 0
    let restoredBytes = 0
    const work = async (name: string): Promise<void> => {
      for (let each = rest.pop(); each; each = rest.pop()) {
        const { bytes, how } = await this.#restore(engine, each, name)
        restoredBytes += bytes
        if (how.length === 0) exact++
        else
          this.#problems.push(`${each.id} of ${each.host} (${each.labels[GENERATION]}) is not exact: ${how.join('; ')}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(`check-${i}`)))
    return { exact, restoredBytes }
  }

  #restore(engine: BackupEngine, snapshot: Snapshot, name: string): Promise<{ bytes: number; how: string[] }> {
    return restoreAndCompare(engine, snapshot, this.#options.folder, name).catch((error: unknown) => ({
      bytes: 0,
      how: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    }))
  }

  /** Each writer, opened anew, goes on as if nothing had been. */
  async nextBackups(): Promise<void> {
    for (const name of this.writers) {
      const engine = await openEngine(placeOf(this.#options), name)
      try {
        const generation = this.#nextGeneration(name)
        if (generation === undefined) continue
        writeManifest(this.#options.folder, name, generation)
        const { snapshot } = await engine.backup({ labels: { [GENERATION]: `${generation}` } })
        const { how } = await this.#restore(engine, snapshot, 'check-next')
        if (how.length > 0) this.#problems.push(`the next backup of ${name} is not exact: ${how.join('; ')}`)
      } finally {
        await engine.close()
      }
    }
  }

  /** A number for the tree as it lies there, perhaps half changed. Undefined: it was never whole. */
  #nextGeneration(name: string): number | undefined {
    const last = readJournal(this.#options.folder, name).findLast((line) => line.what === 'tree')
    return last?.what === 'tree' ? last.generation + 1 : undefined
  }

  async leftovers(): Promise<Leftovers> {
    const objects = await objectsOf(this.#options.ground.place)
    const gc = objects.get('gc') ?? []
    return {
      runs: objects.get('runs')?.length ?? 0,
      packs: await this.#unusedPacks(),
      openPrunes: gc.filter((key) => !key.endsWith('.done')).length,
      trash: objects.get('trash')?.length ?? 0,
      unfinished: await this.#options.ground.unfinished(),
    }
  }

  async #unusedPacks(): Promise<number> {
    const engine = await openEngine(placeOf(this.#options), 'check')
    try {
      const { findings } = await engine.verify({ level: 'structure' })
      const unused = findings.find(({ code }) => code === 'PACKS_UNUSED')
      return Number(unused?.details?.count ?? 0)
    } finally {
      await engine.close()
    }
  }

  /** So that there is something to prune. The newest ones stay. */
  async #forgetOldest(engine: BackupEngine): Promise<void> {
    const all = await engine.snapshots({ order: 'oldest' }).toArray()
    const oldest = all.slice(0, Math.max(0, all.length - 2 * this.writers.length))[0]
    if (oldest === undefined) return
    const plan = await engine.planForget({ snapshots: [oldest.id] })
    await engine.forget(plan, { confirm: plan.digest })
  }

  /** Two days later, when what a suspended process might still come back to is given up as well: nothing may be left. */
  async lastPrune(): Promise<Leftovers | undefined> {
    if (!this.#options.actors.some(({ role }) => role === 'prune')) return undefined
    const clock = laterBy(DAYS_LATER_MS, this.#options.hurry)
    const engine = await openEngine(placeOf(this.#options), 'check', { clock })
    try {
      await this.#forgetOldest(engine)
      // Whatever is not needed goes.
      const plan = await engine.planPrune({ keepDeletedMs: 0, minDeadShare: 0.001 })
      const { state, deleted } = await engine.prune(plan, { confirm: plan.digest, deadRunMs: DEAD_RUN_MS })
      if (state !== 'done') this.#problems.push(`the last prune is ${state}`)
      const { free } = await engine.planPrune({ keepDeletedMs: 0 })
      if (free.packs > 0) this.#problems.push(`after the last prune ${free.packs} packs could go`)
      await this.sound(engine, 'after the last prune')
      const left = await this.leftovers()
      // A prune that has nothing to delete waits for nobody, and does not say of anybody that he is dead.
      const orphans = left.packs + left.openPrunes + left.trash + (deleted.packs > 0 ? left.runs : 0)
      if (orphans > 0) this.#problems.push(`the last prune leaves ${JSON.stringify(left)}`)
      return left
    } finally {
      await engine.close()
    }
  }
}

function laterBy(ms: number, factor: number): Clock {
  return {
    now: () => new Date(Date.now() + ms),
    monotonicMs: () => systemClock.monotonicMs() * factor,
    sleep: (each, options) => systemClock.sleep(each / factor, options),
  }
}
