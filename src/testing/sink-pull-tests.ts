/** The promises of a sink that pulls: it reads a snapshot in its own order, and leaves nothing when that cannot be done. */
import assert from 'node:assert/strict'
import { BackupError } from '../errors.ts'
import type { Sink, SinkContext, SinkEntry, SinkReader, SinkSession } from '../sources/sink.ts'
import type { Runner } from './runner.ts'

/** What a sink is to restore. */
export interface SinkSample {
  readonly facts: SinkContext['facts']
  /** In path order, with their content. */
  readonly entries: readonly { readonly entry: SinkEntry; readonly content?: Uint8Array }[]
  /** Throws unless exactly the sample is there now, in the place of the last sink that was created. */
  isRestored(): Promise<void>
  /** Throws unless nothing is there: no live thing and nothing half made. */
  isEmpty(): Promise<void>
}

type Create = () => Promise<Sink> | Sink

/** A snapshot in memory that fails where it is told to, and knows what is open. */
class SampleReader implements SinkReader {
  readonly read = new Set<string>()
  readonly finished: string[] = []
  open = 0
  private readonly sample: SinkSample
  private readonly fails: (path: string) => void

  constructor(sample: SinkSample, fails: (path: string) => void = () => undefined) {
    this.sample = sample
    this.fails = fails
  }

  async *entries(): AsyncGenerator<readonly SinkEntry[]> {
    this.fails('')
    for (const { entry } of this.sample.entries) yield [entry]
  }

  async *content(path: string): AsyncGenerator<Uint8Array> {
    const found = this.sample.entries.find(({ entry }) => (entry.from ?? entry.path) === path)
    if (!found) throw new BackupError('ENTRY_NOT_FOUND', `no ${path}`, { origin: 'usage' })
    this.open++
    this.read.add(path)
    try {
      const content = found.content ?? new Uint8Array(0)
      const middle = content.length >> 1
      for (const piece of [content.slice(0, middle), content.slice(middle)]) {
        if (piece.length > 0) yield piece
        this.fails(path)
      }
    } finally {
      this.open--
    }
  }

  done({ path }: SinkEntry): void {
    this.finished.push(path)
  }
}

export function pullTests({ it }: Runner, create: Create, make: () => SinkSample): void {
  const test = (name: string, body: (pull: Pull) => Promise<void>): void =>
    it(name, async () => body(new Pull(await create(), make())))

  test('pulls a snapshot, and says of each entry that it is done', async (pull) => {
    const reader = await pull.all()
    await pull.sample.isRestored()
    assert.deepEqual(new Set(reader.finished), new Set(pull.sample.entries.map(({ entry }) => entry.path)))
    assert.equal(reader.finished.length, pull.sample.entries.length, 'an entry was done twice')
    assert.equal(reader.open, 0, 'a content was left open')
  })
  test('shows nothing before the commit', async (pull) => {
    await using session = await pull.open()
    await session.pull!(new SampleReader(pull.sample))
    await session.prepare()
    await session.rollback(new Error('another sink failed'))
    await pull.sample.isEmpty()
  })
  for (const when of ['pull', 'prepare', 'commit'] as const) {
    test(`takes back everything after ${when}, also twice`, async (pull) => {
      await using session = await pull.open()
      await session.pull!(new SampleReader(pull.sample))
      if (when !== 'pull') await session.prepare()
      if (when === 'commit') await session.commit()
      await session.rollback(new Error('another sink failed'))
      await session.rollback(new Error('another sink failed'))
      await pull.sample.isEmpty()
    })
  }
  test('passes damage on, ends its reading, and leaves nothing', async (pull) => {
    const paths = pull.sample.entries.flatMap(({ entry, content }) => (content ? [entry.from ?? entry.path] : []))
    for (const broken of ['', ...paths]) await pull.failing(broken)
  })
  test('stops on abort, and leaves nothing', async (pull) => {
    await using session = await pull.open()
    const reader = new SampleReader(pull.sample, (path) => {
      pull.abort.abort(new Error('enough'))
      if (path !== '') throw new BackupError('ABORTED', 'enough', { origin: 'usage' })
    })
    await assert.rejects(session.pull!(reader).then(() => session.prepare()))
    await session.rollback(pull.abort.signal.reason)
    assert.equal(reader.open, 0, 'a content was left open')
    await pull.sample.isEmpty()
  })
  test('in a drill gets as far as prepare, and can say where it is', async (pull) => {
    await using session = await pull.open(true)
    await session.pull!(new SampleReader(pull.sample))
    await session.prepare()
    const where = session.where?.()
    assert.deepEqual(where === undefined ? where : JSON.parse(JSON.stringify(where)), where, 'not plain data')
    await session.rollback(new Error('the drill is over'))
    await pull.sample.isEmpty()
  })
  test('plans without changing anything', async (pull) => {
    const plan = await pull.sink.plan?.(pull.context(), new SampleReader(pull.sample))
    await pull.sample.isEmpty()
    if (!plan) return
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan, 'a plan is plain data')
    assert.ok(
      plan.changes.every(({ type }) => type === 'create'),
      'nothing is there, so all is new',
    )
    assert.equal(plan.destructive, false)
  })
}

class Pull {
  readonly sink: Sink
  readonly sample: SinkSample
  readonly abort = new AbortController()

  constructor(sink: Sink, sample: SinkSample) {
    this.sink = sink
    this.sample = sample
  }

  context(drill = false): SinkContext {
    const { facts } = this.sample
    return { runId: 'conformance', signal: this.abort.signal, facts, warn: () => undefined, ...(drill && { drill }) }
  }

  async open(drill = false): Promise<SinkSession> {
    const session = await this.sink.open(this.context(drill))
    assert.ok(session.pull, 'it does not pull')
    return session
  }

  async all(): Promise<SampleReader> {
    await using session = await this.open()
    const reader = new SampleReader(this.sample)
    await session.pull!(reader)
    await session.prepare()
    await session.commit()
    return reader
  }

  /** Content that no sink reads cannot fail it. */
  async failing(broken: string): Promise<void> {
    await using session = await this.open()
    const damage = new BackupError('OBJECT_CORRUPT', `damaged: ${broken}`, { origin: 'repository' })
    const reader = new SampleReader(this.sample, (path) => {
      if (path === broken) throw damage
    })
    const outcome = await session.pull!(reader).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (broken === '' || reader.read.has(broken))
      assert.ok(outcome !== undefined, `damage of ${broken} was passed over`)
    assert.equal(reader.open, 0, 'a content was left open')
    await session.rollback(damage)
    await this.sample.isEmpty()
  }
}
