/** Of the promises of a target: it creates once between processes, which one process alone cannot show. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Bench } from './target-bench.ts'
import { within } from './target-limits.ts'

/** How another process makes a target of the same store: by `export` of `module`, called with `options`. */
export interface OtherProcess {
  /** A file URL, such as `new URL('./my-target.ts', import.meta.url)`. */
  module: string | URL
  export: string
  /** Plain data; it goes through a pipe, so it may hold secrets. */
  options?: unknown
}

export const PROCESSES = 4
const BODY_BYTES = 64 * 1024
/** From the message until all begin at once. */
const START_MS = 10

/** Code rather than a file, so that it is there however the kit is bundled. */
const CHILD = `
let target
const answers = {
  open: async ({ module, name, options }) => {
    target = await (await import(module))[name](options)
  },
  put: async ({ key, bytes, fill, at }) => {
    const body = new Uint8Array(bytes).fill(fill)
    while (Date.now() < at);
    return await target.put(key, body, { ifAbsent: true })
  },
  close: async () => await target?.close(),
}
process.on('message', async ({ call, ...facts }) => {
  try {
    process.send({ value: await answers[call](facts) })
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) })
  }
})
`

export async function raceProcesses({ target, prefix, full }: Bench, other: OtherProcess, ms: number): Promise<void> {
  const racers = Array.from({ length: PROCESSES }, () => new Racer(ms))
  try {
    const { module, export: name, options } = other
    await Promise.all(racers.map((racer) => racer.ask({ call: 'open', module: String(module), name, options })))
    for (let round = 0; round < (full ? 20 : 5); round++) {
      const key = `${prefix}race/${round}`
      const put = { call: 'put', key, bytes: BODY_BYTES, at: Date.now() + START_MS }
      const created = await Promise.all(racers.map((racer, i) => racer.ask({ ...put, fill: i + 1 })))
      const won = created.flatMap((is, i) => (is === true ? [i] : []))
      assert.equal(won.length, 1, `${won.length} of ${PROCESSES} processes were told that they created ${key}`)
      const expected = new Uint8Array(BODY_BYTES).fill(won[0]! + 1)
      assert.ok(Buffer.compare(await target.get(key), expected) === 0, `the bytes of ${key} are not those of the one`)
    }
    await Promise.all(racers.map((racer) => racer.ask({ call: 'close' })))
  } finally {
    await Promise.all(racers.map((racer) => racer.end()))
  }
}

class Racer {
  readonly #ms: number
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(ms: number) {
    this.#ms = ms
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const
    this.#process = spawn(process.execPath, ['--input-type=module', '--eval', CHILD], { stdio: [...stdio] })
    this.#ended = once(this.#process, 'exit')
  }

  async ask(question: object): Promise<unknown> {
    const answer = once(this.#process, 'message')
    const ended = this.#ended.then(() => Promise.reject(new Error('another process ended by itself')))
    this.#process.send(question)
    const [{ value, error }] = await within(Promise.race([answer, ended]), 'a call in another process', this.#ms)
    assert.equal(error, undefined, `in another process: ${error}`)
    return value
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}
