/** A sink that pulls everything into memory, and may fail at any step. */
import { defineSink, type Sink, type SinkEntry, type SinkPlan, type SinkReader } from '../../../src/index.ts'
import type { SourceEntry } from '../../../src/sources/source.ts'

export interface Pulled {
  entry: SinkEntry
  bytes: Buffer
}

export interface PullOptions {
  /** Step that throws: 'open', 'pull', 'prepare', 'commit', 'rollback', or the path of an entry. */
  fails?: string
  /** Contents read at once. */
  atOnce?: number
  plan?: (reader: SinkReader) => Promise<SinkPlan>
  where?: () => string
  /** In the middle of a content. */
  during?: (path: string) => Promise<void> | void
}

export interface PullingSink extends Sink {
  kept: Map<string, Pulled>
  phases: string[]
  drill: boolean | undefined
  facts: unknown
  live: boolean
}

export function pulling(options: PullOptions = {}): PullingSink {
  const state = { kept: new Map<string, Pulled>(), phases: [] as string[], live: false }
  const phase = (name: string): void => {
    state.phases.push(name)
    if (name === options.fails) throw new Error(`no ${name}`)
  }
  const sink = defineSink({
    name: 'pulling',
    open: async (context) => {
      Object.assign(made, { drill: context.drill, facts: context.facts })
      phase('open')
      return {
        write: async () => {
          throw new Error('this sink pulls')
        },
        async pull(reader) {
          phase('pull')
          const entries: SinkEntry[] = []
          for await (const batch of reader.entries()) entries.push(...batch)
          const rest = [...entries]
          await Promise.all(Array.from({ length: options.atOnce ?? 1 }, () => take(reader, rest)))
        },
        prepare: async () => phase('prepare'),
        commit: async () => {
          phase('commit')
          made.live = true
        },
        rollback: async () => {
          state.kept.clear()
          made.live = false
          phase('rollback')
        },
        ...(options.where && { where: options.where }),
        async [Symbol.asyncDispose]() {
          state.phases.push('dispose')
        },
      }
    },
    ...(options.plan && {
      plan: async (_, reader) => {
        state.phases.push('plan')
        return options.plan!(reader)
      },
    }),
  })
  const take = async (reader: SinkReader, rest: SinkEntry[]): Promise<void> => {
    for (let entry = rest.shift(); entry; entry = rest.shift()) {
      if (entry.path === options.fails) throw new Error(`no ${entry.path}`)
      const pieces: Uint8Array[] = []
      for await (const piece of reader.content(entry.from ?? entry.path)) {
        pieces.push(piece)
        await options.during?.(entry.path)
      }
      state.kept.set(entry.path, { entry, bytes: Buffer.concat(pieces) })
      reader.done(entry)
    }
  }
  const made: PullingSink = Object.assign(sink, state, { drill: undefined, facts: undefined })
  return made
}

/** A table as a database source gives it: the table itself, and ranges of its rows. */
export function table(path: string, ranges: readonly (string | Uint8Array)[], facts = {}): SourceEntry[] {
  const rows = ranges.map((range, i): SourceEntry => {
    const bytes = typeof range === 'string' ? new TextEncoder().encode(range) : range
    const content = { from: 'stream' as const, chunks: 'table' as const, open: () => pieces(bytes) }
    return { path: `${path}/${String(i + 1).padStart(6, '0')}.copy`, type: 'rows', content, facts: { rows: i } }
  })
  return [{ path, type: 'table', facts: { name: path, ...facts } }, ...rows]
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.slice(at, at + 100_000)
}

/** Lines of a table: they compress about as a table does. */
export function lines(bytes: number, seed = 1): Buffer {
  let state = seed
  const parts: string[] = []
  for (let length = 0, row = 0; length < bytes; row++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const line = `${row}\t${state.toString(36)}\tcustomer ${state % 9973}\t2026-01-${(row % 28) + 1}\t${(state / 7).toFixed(2)}\n`
    parts.push(line)
    length += line.length
  }
  return Buffer.from(parts.join('')).subarray(0, bytes)
}
