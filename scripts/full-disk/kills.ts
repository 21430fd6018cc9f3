/**
 * Backups and restores that are ended by `kill -9` at a random moment and then made again: what was done twice, and whether
 * all comes back exactly.
 */
import { spawn } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Ground } from '../soak/ground.ts'
import { differences, look } from '../soak/look.ts'
import { mixed, seeded } from '../soak/noise.ts'
import { targetOf } from '../soak/settings.ts'
import type { Orders } from './child.ts'
import { makeTree, openOn } from './scene.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

export interface KillOptions {
  readonly folder: string
  readonly seed: number
  readonly ground: Ground
  /** Of the tree, new for each round. */
  readonly bytes: number
  /** Each kills one backup and one restore. */
  readonly rounds: number
  readonly say: (text: string) => void
  /** True: ends after the round that it is in. */
  readonly isOver?: () => boolean
}

/** All of the work that was to be done, and what was done of it a second time. */
export interface Work {
  kills: number
  /** Of which the process was done before it could be killed: not counted as kills. */
  tooLate: number
  bytes: number
  repeatedBytes: number
  /** Done by processes until they were killed. */
  killedBytes: number
}

export interface KillResult {
  readonly backups: Work
  readonly restores: Work
  readonly problems: readonly string[]
}

export const NO_KILLS: KillResult = { backups: noWork(), restores: noWork(), problems: [] }

export function addKills(one: KillResult, other: KillResult): KillResult {
  const add = (a: Work, b: Work): Work => ({
    kills: a.kills + b.kills,
    tooLate: a.tooLate + b.tooLate,
    bytes: a.bytes + b.bytes,
    repeatedBytes: a.repeatedBytes + b.repeatedBytes,
    killedBytes: a.killedBytes + b.killedBytes,
  })
  return {
    backups: add(one.backups, other.backups),
    restores: add(one.restores, other.restores),
    problems: [...one.problems, ...other.problems],
  }
}

interface Life {
  readonly isKilled: boolean
  readonly ms: number
}

export async function killAtRandom(options: KillOptions): Promise<KillResult> {
  const result = { backups: noWork(), restores: noWork(), problems: [] as string[] }
  const expected: { backup: number; restore: number } = { backup: 0, restore: 0 }
  for (let n = -1; n < options.rounds && !options.isOver?.(); n++) {
    const isFirst = n < 0
    const round = new KillRound(options, mixed(options.seed, n), expected)
    try {
      // The first says how long each takes, and how much it uploads.
      await round.play(isFirst ? undefined : result)
      if (!isFirst) options.say(`${result.backups.kills + result.restores.kills} kills`)
    } finally {
      round.remove()
    }
    if (result.problems.length > 0) break
  }
  return result
}

function noWork(): Work {
  return { kills: 0, tooLate: 0, bytes: 0, repeatedBytes: 0, killedBytes: 0 }
}

class KillRound {
  private readonly options: KillOptions
  private readonly random: () => number
  private readonly seed: number
  /** Milliseconds that each took when nobody killed it. */
  private readonly expected: { backup: number; restore: number }
  private readonly tree: string
  private readonly to: string
  private readonly journal: string

  constructor(options: KillOptions, seed: number, expected: { backup: number; restore: number }) {
    this.options = options
    this.seed = seed
    this.random = seeded(seed)
    this.expected = expected
    this.tree = join(options.folder, 'tree')
    this.to = join(options.folder, 'restored')
    this.journal = join(options.folder, 'packs')
  }

  async play(result: { backups: Work; restores: Work; problems: string[] } | undefined): Promise<void> {
    const { bytes } = this.options
    makeTree(this.tree, this.seed, bytes)
    const wanted = look(this.tree)
    const [before, committed] = await this.twice('backup', result?.backups)
    if (result) {
      const uploaded = before + committed
      result.backups.bytes += bytes
      // Where it was done before it could be killed, nothing was done after it.
      result.backups.killedBytes += committed > 0 ? before : 0
      result.backups.repeatedBytes += Math.max(0, uploaded - bytes)
    }
    const snapshot = await this.newest(result?.problems)
    await this.twice('restore', result?.restores, snapshot, () => {
      if (!result) return
      // A restore begins anew, so all that one has written which was killed is written again.
      const written = bytesBelow(this.to)
      result.restores.killedBytes += written
      result.restores.repeatedBytes += written
    })
    if (result) result.restores.bytes += bytes
    result?.problems.push(...differences(wanted, look(join(this.to, 'data'))))
  }

  /** Bytes of packs by the life that was killed, and by the one that came to its end. */
  private async twice(
    what: Orders['what'],
    work: Work | undefined,
    snapshot = '',
    killed: () => void = () => {},
  ): Promise<[number, number]> {
    rmSync(this.journal, { force: true })
    const after = work && this.random() * this.expected[what]
    const first = await this.live(what, snapshot, after)
    if (!work) {
      this.expected[what] = first.ms
      return [this.sent(), 0]
    }
    const before = this.sent()
    // A folder that has its name is whole: that came before the process could say so.
    if (!first.isKilled || (what === 'restore' && existsSync(join(this.to, 'data')))) {
      work.tooLate++
      return [before, 0]
    }
    work.kills++
    killed()
    // Whatever was found after it would say nothing of the product.
    if ((await this.live(what, snapshot, undefined)).isKilled) throw new Error(`somebody else has killed a ${what}`)
    return [before, this.sent() - before]
  }

  /** `killAfterMs`: counted from when the repository is open. */
  private async live(what: Orders['what'], snapshot: string, killAfterMs: number | undefined): Promise<Life> {
    const { place } = this.options.ground
    const orders: Orders = { what, place, tree: this.tree, to: this.to, snapshot, journal: this.journal }
    // In a group of its own: a signal to all of this one, as `timeout` sends it, ends the soak after the round that it is in.
    const child = spawn(process.execPath, [CHILD, JSON.stringify(orders)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    let [begunMs, doneMs, isDone] = [0, 0, false]
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('begun')) {
        begunMs = performance.now()
        if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref()
      }
      if (text.includes('done')) {
        doneMs = performance.now()
        isDone = true
      }
    })
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
      child.once('close', (...ended) => resolve(ended))
    })
    if (!isDone && signal === null) throw new Error(`a ${what} ended with code ${code}`)
    return { isKilled: !isDone, ms: doneMs - begunMs }
  }

  private sent(): number {
    if (!existsSync(this.journal)) return 0
    return readFileSync(this.journal, 'utf8')
      .split('\n')
      .reduce((sum, line) => sum + Number(line), 0)
  }

  private async newest(problems: string[] | undefined): Promise<string> {
    const engine = await openOn(targetOf(this.options.ground.place), this.tree)
    try {
      const { sound, findings } = await engine.verify()
      if (!sound) problems?.push(...findings.map(({ message }) => message))
      return (await engine.snapshot('latest')).id
    } finally {
      await engine.close()
    }
  }

  remove(): void {
    for (const path of [this.tree, this.to, this.journal]) rmSync(path, { recursive: true, force: true })
  }
}

/** Blocks that are there: a file may be as long as it will be, and have holes. */
function bytesBelow(path: string): number {
  if (!existsSync(path)) return 0
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return Math.min(stat.size, stat.blocks * 512)
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0)
}
