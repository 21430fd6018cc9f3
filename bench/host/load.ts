/**
 * A steady load from a process of its own. The loop is open: requests leave on a fixed schedule whether or not earlier
 * ones have been answered, so a server that stalls is charged for every request that the stall delayed.
 */
import { Agent, get } from 'node:http'
import { answer } from './ask.ts'

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

export interface Latencies {
  readonly requests: number
  readonly failed: number
  /** From the moment the schedule asked for the request: holds the delay of this process' own timers too. */
  readonly scheduled: Quantiles
  /** From the moment the request really left. */
  readonly sent: Quantiles
}
export interface Quantiles {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

/** One run from `start` to `stop`. */
class Load {
  readonly #scheduled: number[] = []
  readonly #sent: number[] = []
  readonly #open = new Set<Promise<void>>()
  readonly #url: string
  readonly #rate: number
  readonly #started = performance.now()
  #count = 0
  #failed = 0
  #timer: NodeJS.Timeout | undefined

  constructor(port: number, rate: number) {
    this.#url = `http://127.0.0.1:${port}/`
    this.#rate = rate
    this.#tick()
  }

  #due(index: number): number {
    return this.#started + (index * 1000) / this.#rate
  }

  #tick(): void {
    while (this.#due(this.#count) <= performance.now()) {
      const request = this.#request(this.#due(this.#count++))
      this.#open.add(request)
      void request.finally(() => this.#open.delete(request))
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#due(this.#count) - performance.now()))
  }

  #request(due: number): Promise<void> {
    const sent = performance.now()
    return new Promise((resolve) => {
      const fail = (): void => {
        this.#failed++
        resolve()
      }
      const request = get(this.#url, { agent }, (response) => {
        response
          .once('error', fail)
          .resume()
          .once('end', () => {
            const now = performance.now()
            this.#scheduled.push(now - due)
            this.#sent.push(now - sent)
            resolve()
          })
      })
      request.once('error', fail)
    })
  }

  async stop(): Promise<Latencies> {
    clearTimeout(this.#timer)
    await Promise.all(this.#open)
    return {
      requests: this.#count,
      failed: this.#failed,
      scheduled: quantiles(this.#scheduled),
      sent: quantiles(this.#sent),
    }
  }
}

let load: Load | undefined

function start(task: { port: number; rate: number }): void {
  load = new Load(task.port, task.rate)
}

async function stop(): Promise<Latencies> {
  if (!load) throw new Error('no load is running')
  return await load.stop()
}

const handlers = { start, stop }
export type LoadHandlers = typeof handlers
answer(handlers)
process.once('disconnect', () => process.exit())
