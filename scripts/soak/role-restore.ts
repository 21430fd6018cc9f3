/** Restores one committed snapshot after the other, chosen at random, and compares each with what its writer wrote down. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BackupEngine, BackupError, type Snapshot } from '../../src/index.ts'
import { forgettable, type Line } from './journal.ts'
import { differences, type Look, look } from './look.ts'
import { GENERATION } from './role-backup.ts'
import type { Actor } from './roles.ts'
import { actorFolder, manifestOf, openEngine } from './settings.ts'

const RESTORES_OF_ENGINE = 6
const NOTHING_YET_MS = 200
const ATTEMPTS = 3

export async function restoreSome(actor: Actor): Promise<void> {
  const { settings, journal } = actor
  while (!actor.stopped()) {
    const engine = await openEngine(settings, settings.name)
    try {
      for (let n = 0; n < RESTORES_OF_ENGINE && !actor.stopped(); n++) {
        const snapshot = await anySnapshot(engine, actor)
        if (snapshot === undefined) await actor.pause(NOTHING_YET_MS)
        else {
          journal.write(await restoreOne(engine, snapshot, actor))
          actor.pieceDone()
        }
      }
    } finally {
      await engine.close()
    }
  }
}

async function anySnapshot(engine: BackupEngine, { settings, random }: Actor): Promise<Snapshot | undefined> {
  const leaving = forgettable(settings.folder, ['pruner'])
  const staying = (await engine.snapshots().toArray()).filter(({ id }) => !leaving.has(id))
  return staying[Math.floor(random() * staying.length)]
}

/** With another engine, if need be: a pack that one after the other misses is lost. */
async function restoreOne(first: BackupEngine, snapshot: Snapshot, { settings, journal }: Actor): Promise<Line> {
  const { id } = snapshot
  const { folder, name } = settings
  let engine = first
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const { bytes, how } = await restoreAndCompare(engine, snapshot, folder, name)
        return how.length === 0 ? { what: 'restored', id, bytes } : { what: 'different', id, how }
      } catch (error) {
        if (forgettable(folder, ['pruner']).has(id)) return { what: 'overtaken', id }
        if (attempt === ATTEMPTS || !BackupError.is(error) || error.code !== 'OBJECT_MISSING') throw error
        journal.write({ what: 'again', id })
      }
      if (engine !== first) await engine.close()
      engine = await openEngine(settings, name)
    }
  } finally {
    if (engine !== first) await engine.close()
  }
}

type Wanted = Pick<Snapshot, 'id' | 'host' | 'labels'>

/** Also for the scheduler, at the end. */
export async function restoreAndCompare(
  engine: BackupEngine,
  { id, host, labels }: Wanted,
  folder: string,
  name: string,
): Promise<{ bytes: number; how: string[] }> {
  const to = join(actorFolder(folder, name), 'restored')
  rmSync(to, { recursive: true, force: true })
  await engine.restore(await engine.planRestore({ snapshot: id, to: { folder: to } }))
  const manifest = manifestOf(folder, host, Number(labels[GENERATION]))
  const wanted = JSON.parse(readFileSync(manifest, 'utf8')) as Look
  const found = look(join(to, 'data'))
  rmSync(to, { recursive: true, force: true })
  return { bytes: found.bytes, how: differences(wanted, found) }
}
