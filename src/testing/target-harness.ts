/** Runs the tests of a target one by one, each on a target of its own, and notes how they end. */
import type { Target, TargetTraits } from '../targets/target.ts'
import { type Runner, skipTest } from './runner.ts'
import { type Bench, type DefineTest, keysOf } from './target-bench.ts'
import { failsOnce, leavesNothing, type Outage, useOnce } from './target-close.ts'
import { limited, within } from './target-limits.ts'
import { type OtherProcess, PROCESSES, raceProcesses } from './target-processes.ts'
import { type PromiseName, TargetReport, type TestResult } from './target-report.ts'

export interface TargetConformanceOptions {
  /** A target to test: a fresh one, or a new handle of the same; the suite uses keys of its own and deletes them. */
  create(): Promise<Target> | Target
  /** Called after each test, when its target is closed. */
  cleanup?(): Promise<void>
  /**
   * `quick` lists 120 keys instead of 1,010 (which is one page of most stores) and races fewer rounds, for stores that
   * are slow or cost money. Default `full`.
   */
  profile?: 'quick' | 'full'
  /**
   * Makes the store answer each request with a failure that passes (a 503, a reset connection), until the function it
   * gives is called, which says how many requests came meanwhile. Without it the promise not to try again is not tried.
   */
  outage?: Outage
  /**
   * How other processes make a target of the store that `create` has just opened. Without it `put` with `ifAbsent` is raced
   * within this process only, which shows nothing of a store whose calls are synchronous; the card says so.
   */
  processes?(): OtherProcess
  /** A call that takes longer has failed, in ms. Default 20,000: above the limits of the requests it makes. */
  callMs?: number
  /** Called at the end with the capability card: a table of promises and results in Markdown, without date or version. */
  onCard?(markdown: string): void
}

type Ending = Pick<TestResult, 'outcome' | 'why'> & { readonly error?: unknown }

export class TargetHarness {
  readonly #runner: Runner
  readonly #options: TargetConformanceOptions
  readonly #report = new TargetReport()

  constructor(runner: Runner, options: TargetConformanceOptions) {
    this.#runner = runner
    this.#options = options
  }

  under(promise: PromiseName): DefineTest {
    return (test, body, missing) =>
      this.#define(promise, test, async () => {
        let why: string | undefined
        await onBench(this.#options, async (bench) => {
          this.#report.name = bench.target.name
          this.#report.traits = bench.target.traits
          why = missing?.(bench.target.traits)
          if (why === undefined) await body(bench)
        })
        return why
      })
  }

  outageTest(): void {
    const name = 'reports a passing failure as retryable, after one request'
    const { outage } = this.#options
    if (outage) this.under('noRetries')(name, (bench) => failsOnce(bench, outage))
    else
      this.#report.add({ promise: 'noRetries', test: name, outcome: 'untried', why: 'the suite was given no `outage`' })
  }

  processTest(): void {
    const name = `lets exactly one of ${PROCESSES} processes create`
    const { processes } = this.#options
    const run = (bench: Bench) => raceProcesses(bench, processes!(), limitOf(this.#options))
    const missing = ({ createOnly }: TargetTraits) => (createOnly ? undefined : '`traits.createOnly` is false')
    const why = 'between processes, since the suite was given no `processes`'
    if (processes) this.under('createOnce')(name, run, missing)
    else this.#report.add({ promise: 'createOnce', test: name, outcome: 'untried', why })
  }

  closeTest(): void {
    this.#define('close', 'leaves nothing running and no file open', async () => {
      await leavesNothing(() => onBench(this.#options, useOnce))
      return undefined
    })
  }

  card(): void {
    const { onCard } = this.#options
    if (onCard) this.#runner.it('sums up in a capability card', () => onCard(this.#report.card()))
  }

  /** `run` gives the reason if it was skipped. */
  #define(promise: PromiseName, test: string, run: () => Promise<string | undefined>): void {
    // Not a parameter: runners take a test that has one for a test with a callback.
    this.#runner.it(test, async (...[context]) => {
      const { error, ...result } = await endingOf(run)
      this.#report.add({ promise, test, ...result })
      if (result.outcome === 'failed') throw error
      if (result.outcome === 'skipped') skipTest(context, result.why ?? '')
    })
  }
}

async function endingOf(run: () => Promise<string | undefined>): Promise<Ending> {
  try {
    const why = await run()
    return why === undefined ? { outcome: 'passed' } : { outcome: 'skipped', why }
  } catch (error) {
    const [line = ''] = String(error instanceof Error ? error.message : error).split('\n')
    return { outcome: 'failed', why: line, error }
  }
}

function limitOf({ callMs = 20_000 }: TargetConformanceOptions): number {
  return callMs
}

/** What a test leaves is deleted in any case; that this fails is told only where nothing else did. */
async function onBench(options: TargetConformanceOptions, body: (bench: Bench) => Promise<void>): Promise<void> {
  const ms = limitOf(options)
  const target = limited(await within(options.create(), 'create()', ms), ms)
  const prefix = `conformance-${Date.now().toString(36)}${Math.random().toString(36).slice(2)}/`
  const tidy = async (): Promise<void> => target.delete(await keysOf(target, prefix))
  try {
    await body({ target, prefix, full: options.profile !== 'quick' }).catch(async (error: unknown) => {
      await tidy().catch(() => undefined)
      throw error
    })
    await tidy()
  } finally {
    await target.close()
    await options.cleanup?.()
  }
}
