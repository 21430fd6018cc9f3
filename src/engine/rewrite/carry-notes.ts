/** What people have said of a snapshot holds for the one that takes its place too; what a check has proved does not. */
import type { Note } from '../../model/note.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'

/** Does nothing where nobody has said anything of the old one, or somebody has of the new one already. */
export async function carryNotes(
  engine: EngineContext,
  { signal, actor }: Pick<RunContext, 'signal' | 'actor'>,
  from: string,
  to: string,
): Promise<void> {
  const { notes } = engine.repository.repository
  const [{ note: old }, { note: own }] = await Promise.all([notes.of(from, { signal }), notes.of(to, { signal })])
  if (!old || !saysSomething(old) || (own && saysSomething(own))) return
  const { snapshot: _, at: __, actor: author = actor, lastVerified: ___, ...said } = old
  // What was proved of the new one in the meantime stays.
  const change = (previous: Note): Note => ({ ...previous, ...said })
  await notes.write(to, change, { now: engine.clock.now(), signal, ...(author !== undefined && { actor: author }) })
}

function saysSomething({ holds, addTags, removeTags, name, description }: Note): boolean {
  const isSaid = holds.length > 0 || addTags.length > 0 || removeTags.length > 0
  return isSaid || name !== undefined || description !== undefined
}
