/** What people have said of a snapshot holds for the one that takes its place too; what a check has proved does not. */
import type { Note } from '../../model/note.ts'
import type { RunContext } from '../run-context.ts'
import type { EngineContext } from '../types-context.ts'

/** Does nothing where the old one has no notes, or the new one has some already. */
export async function carryNotes(
  engine: EngineContext,
  { signal, actor }: Pick<RunContext, 'signal' | 'actor'>,
  from: string,
  to: string,
): Promise<void> {
  const { notes } = engine.repository.repository
  const [{ note: old }, { note: own }] = await Promise.all([notes.of(from, { signal }), notes.of(to, { signal })])
  if (!old || own) return
  const { snapshot: _, at: __, actor: author = actor, lastVerified: ___, ...said } = old
  const isSaid = said.holds.length > 0 || said.addTags.length > 0 || said.removeTags.length > 0
  if (!isSaid && said.name === undefined && said.description === undefined) return
  const change = (): Note => ({ ...said, snapshot: to, at: engine.clock.now() })
  await notes.write(to, change, { now: engine.clock.now(), signal, ...(author !== undefined && { actor: author }) })
}
