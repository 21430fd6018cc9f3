/** annotate: changes what may change about a snapshot, as its next note. */
import { requireFeatures } from '../../model/config.ts'
import type { HoldRecord, Note } from '../../model/note.ts'
import { withNote } from '../../repository/notes.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { invalidOption } from '../options/index.ts'
import { withQuietRun } from '../run/context.ts'
import { findSnapshot } from '../snapshots/load.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { AnnotateOptions } from '../types/retention.ts'
import type { Snapshot, SnapshotRef } from '../types/snapshot.ts'

const MAX_TAGS = 64
const MAX_HOLDS = 64

export function annotate(engine: EngineContext, ref: SnapshotRef, options: AnnotateOptions): Promise<Snapshot> {
  return withQuietRun(engine, { verb: 'annotate', options }, async ({ signal, actor, startedAt }) => {
    const { snapshots, notes, keys } = engine.repository.repository
    await keys.refreshSince(startedAt, signal)
    requireFeatures(keys.config, 'write')
    const info = await findSnapshot(engine, ref, signal)
    const now = engine.clock.now()
    const change = (previous: Note): Note => changed(previous, info, options, now)
    const note = await notes.write(info.id, change, { now, signal, ...(actor !== undefined && { actor }) })
    // Somebody may have forgotten it meanwhile: a hold on nothing must not pass for one.
    return viewSnapshot(await snapshots.get(info.id, { signal }), note)
  })
}

function changed(previous: Note, info: SnapshotInfo, options: AnnotateOptions, now: Date): Note {
  const { name, description } = options
  return {
    ...previous,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...changedTags(previous, info, options),
    holds: changedHolds(previous.holds, options, now),
  }
}

/** What is added and what is taken away of the snapshot's own tags. */
function changedTags(
  previous: Note,
  info: SnapshotInfo,
  { addTags = [], removeTags = [] }: AnnotateOptions,
): Pick<Note, 'addTags' | 'removeTags'> {
  const both = addTags.find((tag) => removeTags.includes(tag))
  if (both !== undefined) throw invalidOption('removeTags', 'without those of addTags', both, 'annotate')
  const tags = new Set(withNote(info, previous).tags)
  for (const tag of removeTags) tags.delete(tag)
  for (const tag of addTags) tags.add(tag)
  if (tags.size > MAX_TAGS)
    throw invalidOption('addTags', `so few that the snapshot has at most ${MAX_TAGS}`, addTags, 'annotate')
  const own = new Set(info.record.tags)
  return {
    addTags: [...tags].filter((tag) => !own.has(tag)),
    removeTags: [...own].filter((tag) => !tags.has(tag)),
  }
}

/** Those that have expired are dropped on the way. */
function changedHolds(holds: readonly HoldRecord[], options: AnnotateOptions, now: Date): HoldRecord[] {
  const { addHold, removeHold, actor } = options
  if (removeHold !== undefined && !holds.some(({ reason }) => reason === removeHold))
    throw invalidOption('removeHold', 'the reason of one of its holds', removeHold, 'annotate')
  const gone = new Set([removeHold, addHold?.reason])
  const kept = holds.filter(({ reason, expires }) => !gone.has(reason) && (expires === undefined || expires > now))
  if (addHold === undefined) return kept
  const { reason, author = actor, expires } = addHold
  if (expires !== undefined && expires <= now)
    throw invalidOption('addHold.expires', 'a time to come', expires, 'annotate')
  if (kept.length >= MAX_HOLDS) throw invalidOption('addHold', `one of at most ${MAX_HOLDS}`, reason, 'annotate')
  return [...kept, { reason, ...(author !== undefined && { author }), ...(expires && { expires }) }]
}
