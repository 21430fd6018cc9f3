/** Changes its tree, writes down what it is, backs it up, says so; again and again, until it is killed. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type BackupEngine, type Target, wrapTarget } from '../../src/index.ts'
import { type Journal, readJournal } from './journal.ts'
import { look } from './look.ts'
import { mixed } from './noise.ts'
import type { Actor } from './roles.ts'
import { manifestOf, openEngine, targetOf, treeOf } from './settings.ts'
import { makeGeneration } from './tree.ts'

/** Of the labels of a snapshot. */
export const GENERATION = 'generation'
/** Some backups find nothing changed. */
const SAME_AGAIN = 0.15
const RUNS_OF_ENGINE = 5

export async function backUp(actor: Actor): Promise<void> {
  const { settings, journal, random } = actor
  const { name } = settings
  const tree = new OwnTree(actor)
  while (!actor.stopped()) {
    const engine = await openEngine(settings, name, { target: watched(targetOf(settings.place), actor) })
    try {
      for (let runs = 1 + random() * RUNS_OF_ENGINE; runs > 0 && !actor.stopped(); runs--) {
        if (tree.isCommitted && (!tree.isWhole || random() > SAME_AGAIN)) tree.change()
        await backUpOnce(engine, tree.generation, journal)
        tree.isCommitted = true
        actor.pieceDone()
      }
    } finally {
      await engine.close()
    }
  }
}

async function backUpOnce(engine: BackupEngine, generation: number, journal: Journal): Promise<void> {
  journal.write({ what: 'begin', generation })
  const { snapshot } = await engine.backup({ labels: { [GENERATION]: `${generation}` } })
  journal.write({ what: 'commit', generation, id: snapshot.id })
}

class OwnTree {
  generation = -1
  isCommitted = true
  /** False at the beginning of a life: the one before may have been ended in the middle of the next change. */
  isWhole = false
  readonly #actor: Actor

  /** Goes on from where the last life was ended. A backup that may have been cut short is made again. */
  constructor(actor: Actor) {
    this.#actor = actor
    for (const line of readJournal(actor.settings.folder, actor.settings.name)) {
      if (line.what !== 'tree' && line.what !== 'commit') continue
      this.generation = line.generation
      this.isCommitted = line.what === 'commit'
    }
    if (this.generation === -1) this.change()
  }

  change(): void {
    const { settings, journal } = this.#actor
    const { folder, name, soakSeed, size } = settings
    const generation = this.generation + 1
    makeGeneration(treeOf(folder, name), generation, { own: mixed(soakSeed, name), shared: soakSeed }, size)
    writeManifest(folder, name, generation)
    journal.write({ what: 'tree', generation })
    this.generation = generation
    this.isCommitted = false
    this.isWhole = true
  }
}

/** What the tree is now is that generation. */
export function writeManifest(folder: string, name: string, generation: number): void {
  writeWhole(manifestOf(folder, name, generation), JSON.stringify(look(treeOf(folder, name))))
}

function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** Some end themselves around their commit: by chance alone it would hardly happen in the moment before they are told. */
const DIES_AT_COMMIT = 0.08
const COMMIT_MS = 60

/** Writes down what is uploaded: what of it counts is known once the fragment behind it is there. */
function watched(inner: Target, { journal, random }: Actor): Target {
  return wrapTarget(inner, {
    put: async (key, body, options) => {
      if (key.startsWith('snapshots/') && random() < DIES_AT_COMMIT) {
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), random() * COMMIT_MS)
      }
      if (!/^(packs|index)\//.test(key)) return await inner.put(key, body, options)
      const bytes = body.byteLength
      journal.write({ what: 'put', key, bytes })
      const isNew = await inner.put(key, body, options)
      journal.write({ what: 'stored', key, bytes })
      return isNew
    },
  })
}
