/** A sink in memory. */
import { type BackupEngine, defineSink, type Sink, type SinkEntry } from '../../src/index.ts'

export interface Kept {
  entry: SinkEntry
  bytes: Buffer
}

/** Keeps what it is given; may fail at a path, or at a phase. */
export function keeping(fails?: string): Sink & { kept: Map<string, Kept>; phases: string[] } {
  const kept = new Map<string, Kept>()
  const phases: string[] = []
  const phase = (name: string): void => {
    phases.push(name)
    if (name === fails) throw new Error(`no ${name}`)
  }
  const sink = defineSink({
    name: 'keeping',
    open: async () => ({
      async write(entry, content) {
        if (entry.path === fails) throw new Error('no room for that')
        const pieces: Uint8Array[] = []
        for await (const piece of content) pieces.push(piece)
        kept.set(entry.path, { entry, bytes: Buffer.concat(pieces) })
      },
      prepare: async () => phase('prepare'),
      commit: async () => phase('commit'),
      rollback: async () => phase('rollback'),
      [Symbol.asyncDispose]: async () => phase('dispose'),
    }),
  })
  return Object.assign(sink, { kept, phases })
}

export async function restoreInto(engine: BackupEngine, sink: Sink): Promise<void> {
  await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { sinks: { app: sink } } }))
}
