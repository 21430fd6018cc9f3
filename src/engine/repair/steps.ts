/** What a repair would do, step by step, in the order in which it does it. */
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { PREFIX, packKey, snapshotKey, trashKey } from '../../repository/keys-layout.ts'
import type { RepairAction, RepairStep } from '../types/repair.ts'
import type { Diagnosis } from './diagnose.ts'
import { damagedKeys } from './survey.ts'

/** Keys in one step of a plan. */
export const MAX_OBJECTS = 1000

export function stepsOf(diagnosis: Diagnosis): RepairStep[] {
  const { mirrors, found, healable, after, trash } = diagnosis
  const { stock, bad } = found
  const steps: RepairStep[] = []
  const add = (
    action: RepairAction,
    objects: readonly string[],
    message: string,
    loses: string | null = null,
  ): void => {
    if (objects.length > 0) steps.push({ action, message, objects: objects.slice(0, MAX_OBJECTS), loses })
  }
  const copied = [...mirrors.found.keys()]
  add('copy-object', copied, `${copied.length} objects are copied from mirrors.`)
  const restated = restatedPacks(diagnosis).map(packKey)
  add('restate-index', restated, `What ${restated.length} packs hold is said again in the index.`)
  const removed = removable(diagnosis)
  add('remove-object', removed, `${removed.length} objects that cannot be read, and of which nothing is missed, go.`)
  const chunks = healable.length / CHUNK_ROW_BYTES
  if (chunks > 0) {
    const keys = bad.map(({ name }) => packKey(name))
    const message = `${chunks} lost chunks are stored anew from the mirrors or the live sources.`
    steps.push({ action: 'heal-content', message, objects: keys.slice(0, MAX_OBJECTS), loses: null })
  }
  const damaged = bad.filter(({ missing }) => !missing).map(({ name }) => packKey(name))
  add('replace-packs', damaged, `What is sound of ${damaged.length} damaged packs is copied into new ones.`)
  add(
    'retire-packs',
    bad.map(({ name }) => packKey(name)),
    `${bad.length} packs are named dead, so that no backup relies on them.`,
  )
  for (const { snapshot, entries, bytes, lostFacts } of after) {
    const facts = lostFacts.length > 0 ? `, and the facts of ${lostFacts.join(', ')}` : ''
    const loses = `${entries} entries (${bytes} bytes) of snapshot ${snapshot}${facts}`
    add(
      'rewrite-snapshot',
      [snapshotKey(snapshot)],
      `Snapshot ${snapshot} is rewritten without what it has lost.`,
      loses,
    )
  }
  for (const id of found.unreadable) {
    add('drop-snapshot', [snapshotKey(id)], `Snapshot ${id}, which cannot be read, goes.`, `all of snapshot ${id}`)
  }
  const forgotten = [...trash.map(trashKey), ...found.damagedTrash]
  for (const key of forgotten) {
    const id = key.slice(PREFIX.trash.length)
    add(
      'drop-snapshot',
      [key],
      `Snapshot ${id}, which is forgotten already, can be brought back no more.`,
      `the undo of forgetting snapshot ${id}`,
    )
  }
  const notes = damagedNotes(diagnosis)
  add(
    'remove-object',
    notes,
    `${notes.length} notes that cannot be read go: what was said before them counts, or nothing.`,
    `tags, holds and names of ${new Set(notes.map((key) => key.split('/')[1])).size} snapshots, as these notes say them`,
  )
  const fragments = stock.unknown.length > 0 ? damagedFragments(diagnosis) : []
  const why = `what these say of ${stock.unknown.length} packs whose own directories cannot be read`
  add('remove-object', fragments, `${fragments.length} index fragments that cannot be read go.`, why)
  return steps
}

/** Packs that a fragment has to name anew: all that are in none, if one cannot be read; else those that something needs. */
export function restatedPacks({ found }: Diagnosis): string[] {
  return found.stock.restated.map(({ name }) => Buffer.from(name).toString('hex'))
}

export function damagedFragments({ work, mirrors }: Diagnosis): string[] {
  return damaged(damagedKeys(work.findings.all()), PREFIX.index, mirrors.found)
}

/** They may hold snapshots, and as long as they lie there nobody forgets these. */
export function damagedNotes({ work, mirrors }: Diagnosis): string[] {
  return damaged(damagedKeys(work.findings.all()), PREFIX.notes, mirrors.found)
}

/** Unreadable fragments once all packs are named again, reports, ledgers of proofs. */
export function removable(diagnosis: Diagnosis): string[] {
  const { work, mirrors, found } = diagnosis
  const keys = damagedKeys(work.findings.all())
  const fragments = found.stock.unknown.length === 0 ? damagedFragments(diagnosis) : []
  const others = [PREFIX.state, PREFIX.reports].flatMap((prefix) => damaged(keys, prefix, mirrors.found))
  return [...fragments, ...others]
}

function damaged(keys: readonly string[], prefix: string, healed: ReadonlyMap<string, unknown>): string[] {
  return keys.filter((key) => key.startsWith(prefix) && !healed.has(key))
}
