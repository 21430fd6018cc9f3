/** Keeps one actor alive: starts a process for it, ends it by `kill -9` at a random moment, and starts the next. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mixed, seeded } from './noise.ts'
import type { Settings } from './settings.ts'

export interface ActorPlan extends Pick<Settings, 'role' | 'name'> {
  /**
   * A life is as long as chance has it: fewer whole pieces of work than this (a backup with the change before it, a restore,
   * a prune), and a part of one more. Counted like that, and not in seconds, there is progress on a slow machine too.
   */
  readonly pieces: number
}

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
/** Until it is known how long a piece of work takes. */
const FIRST_PIECE_MS = 800
/** How much the latest piece says about the next. */
const LATEST = 0.3
/** After the request to stop. */
const LAST_WORK_MS = 60_000

/** All processes that have been started and have not ended. */
const living = new Set<ChildProcess>()
let isGuarded = false

/** However this process ends: its children end with it, or notice that it is gone. */
function guard(): void {
  if (isGuarded) return
  isGuarded = true
  process.on('exit', () => {
    for (const child of living) child.kill('SIGKILL')
  })
}

export class Keeper {
  kills = 0
  lives = 0
  readonly plan: ActorPlan
  readonly #settings: Omit<Settings, 'role' | 'name' | 'seed' | 'life'>
  #child: ChildProcess | undefined
  #pieceMs = FIRST_PIECE_MS
  #isStopping = false

  constructor(plan: ActorPlan, settings: Omit<Settings, 'role' | 'name' | 'seed' | 'life'>) {
    this.plan = plan
    this.#settings = settings
  }

  /** Resolves once `stop` was called and its last process has ended. @throws Error where one ended by itself */
  async run(): Promise<void> {
    guard()
    while (!this.#isStopping) {
      const { role, name } = this.plan
      const seed = mixed(this.#settings.soakSeed, name, ++this.lives)
      await this.#live({ ...this.#settings, role, name, seed, life: this.lives })
    }
  }

  async #live(settings: Settings): Promise<void> {
    const child = fork(CHILD, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: ['--no-warnings'] })
    living.add(child)
    let errors = ''
    child.stderr!.on('data', (text) => {
      errors += text
    })
    // A message to one that has just ended.
    child.on('error', () => {})
    child.send(settings)
    this.#child = child
    const closed = once(child, 'close')
    const timers = this.#doom(child, settings.seed, () => child.kill('SIGKILL'))
    const [code, signal] = await closed
    timers.clear()
    living.delete(child)
    // Writers also end themselves like that.
    if (signal === 'SIGKILL' && !this.#isStopping) {
      this.kills++
      return
    }
    if ((code !== 0 && signal !== 'SIGKILL') || !this.#isStopping) {
      throw new Error(`${this.plan.name}, life ${this.lives}, ended by itself with ${code ?? signal}: ${errors.trim()}`)
    }
  }

  /** Each message is the end of a piece; the first one says that the program is loaded. */
  #doom(child: ChildProcess, seed: number, kill: () => void): { clear(): void } {
    const random = seeded(seed ^ 1)
    const last = Math.floor(random() * this.plan.pieces)
    const part = random()
    let timer: NodeJS.Timeout | undefined
    let since = performance.now()
    let pieces = -1
    child.on('message', () => {
      const now = performance.now()
      if (++pieces > 0) this.#pieceMs += LATEST * (now - since - this.#pieceMs)
      since = now
      if (pieces === last) timer = setTimeout(() => this.#isStopping || kill(), part * this.#pieceMs)
    })
    return { clear: () => clearTimeout(timer) }
  }

  /** Lets it end what it is doing. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const child = this.#child
    if (child === undefined || !living.has(child)) return
    if (child.connected) child.send('stop')
    const late = new AbortController()
    const patience = sleep(LAST_WORK_MS, undefined, { signal: late.signal }).then(
      () => child.kill('SIGKILL'),
      () => {},
    )
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    late.abort()
    await patience
  }

  /** At once, and for good. */
  end(): void {
    this.#isStopping = true
    this.#child?.kill('SIGKILL')
  }
}
