/** Whatever is wrong with whatever object: it is noticed, or nothing that comes out is wrong. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type EngineOptions, rawKey, workerPool } from '../../src/index.ts'
import { classOf, DAMAGES, lookAt, makeStand, restoreAll, type Stand, withDamage } from './corruption-support.ts'

const KEY = rawKey(new Uint8Array(32).fill(9))
/** Files of both snapshots; the large one counts once. */
const ENTRIES = 22 + 23
/** What is needed to restore is looked at completely; of the rest the first of a class speak for the others. */
const NEEDED = new Set(['config', 'keys', 'packs', 'index', 'snapshots'])

/** What becomes of the objects of a class, for each damage: noticed, harmless, or one or the other. */
type Table = Record<string, Record<string, string>>

async function tabulate(stand: Stand, stranger: Stand, damages: readonly string[]): Promise<Table> {
  const table: Table = {}
  for (const key of keysOf(stand)) {
    const row = table[classOf(key)] ?? {}
    table[classOf(key)] = row
    for (const name of damages) {
      const look = await withDamage(stand, key, DAMAGES[name]!, otherOf(stand, stranger, key), () => lookAt(stand))
      if (look.noticed.size === 0) expect([key, name, look.exact]).toEqual([key, name, ENTRIES])
      const outcome = look.noticed.size > 0 ? 'noticed' : 'harmless'
      row[name] = row[name] === undefined || row[name] === outcome ? outcome : 'noticed or harmless'
    }
  }
  return table
}

function keysOf({ objects }: Stand): string[] {
  const seen = new Set<string>()
  return [...objects.keys()].sort().filter((key) => {
    const first = !seen.has(classOf(key))
    seen.add(classOf(key))
    return first || NEEDED.has(classOf(key))
  })
}

/** Another object of the class: of this repository if it has one, else of another one under the same key. */
function otherOf(stand: Stand, stranger: Stand, key: string): Uint8Array {
  const mine = [...stand.objects].find(([other]) => other !== key && classOf(other) === classOf(key))
  return (mine ?? [...stranger.objects].find(([other]) => classOf(other) === classOf(key))!)[1]
}

function row(damages: readonly string[], exceptions: Record<string, string> = {}): Record<string, string> {
  return { ...Object.fromEntries(damages.map((name) => [name, 'noticed'])), ...exceptions }
}

/** All damage is noticed but for what nobody can know, and what nothing depends on. */
function expected(damages: readonly string[], encrypted: boolean): Table {
  const all = row(damages)
  const lossUnnoticed = row(damages, { missing: 'harmless' })
  return {
    config: all,
    ...(encrypted && { keys: all }),
    packs: all,
    index: all,
    snapshots: all,
    // A prune that left no trace has left no trace; notes, proofs and history may be deleted by whoever may write.
    gc: lossUnnoticed,
    'gc done': lossUnnoticed,
    notes: lossUnnoticed,
    state: lossUnnoticed,
    reports: lossUnnoticed,
    // What a writer left that died: nobody who reads looks at it.
    runs: Object.fromEntries(damages.map((name) => [name, 'harmless'])),
  }
}

const SOME = ['bit in the middle', 'last bit', 'half of it', 'garbage', 'swapped', 'missing']

describe.each<[string, EngineOptions['key'], readonly string[]]>([
  ['encrypted', KEY, Object.keys(DAMAGES)],
  ['unencrypted', 'none', SOME],
])('a damaged object of an %s repository', (_, key, damages) => {
  let stand: Stand
  let stranger: Stand

  beforeAll(async () => {
    stand = await makeStand(key)
    stranger = await makeStand(key)
  })

  it('is the only thing that is noticed', async () => {
    expect(await lookAt(stand)).toEqual({ noticed: new Set(), sound: true, exact: ENTRIES })
  })

  it('is noticed, or does no harm', async () => {
    expect(await tabulate(stand, stranger, damages)).toEqual(expected(damages, key !== 'none'))
  }, 120_000)

  it('makes the repository unsound if it is a pack or an index fragment', async () => {
    for (const object of [...stand.objects.keys()].filter((name) => /^(packs|index)/.test(name))) {
      for (const name of ['bit at an eighth', 'missing']) {
        const look = await withDamage(stand, object, DAMAGES[name]!, new Uint8Array(0), () => lookAt(stand))
        expect([object, name, look.sound]).toEqual([object, name, false])
      }
    }
  })

  it('never gets a wrong byte into a folder that is restored', async () => {
    for (const object of [...stand.objects.keys()].filter((name) => name.startsWith('packs/'))) {
      for (const name of ['bit in the middle', 'swapped', 'missing']) {
        const codes = await withDamage(stand, object, DAMAGES[name]!, otherOf(stand, stranger, object), () =>
          restoreAll(stand),
        )
        for (const code of codes) expect(['OBJECT_CORRUPT', 'OBJECT_MISSING']).toContain(code)
      }
    }
  })
})

describe('a damaged pack, with threads', () => {
  it('is noticed as it is without', async () => {
    const stand = await makeStand(KEY)
    await using workers = workerPool({ threads: 2 })
    expect(await lookAt(stand, { workers })).toEqual({ noticed: new Set(), sound: true, exact: ENTRIES })
    for (const object of [...stand.objects.keys()].filter((name) => name.startsWith('packs/'))) {
      for (const name of ['bit in the middle', 'half of it', 'missing']) {
        const look = await withDamage(stand, object, DAMAGES[name]!, new Uint8Array(0), () =>
          lookAt(stand, { workers }),
        )
        expect([object, name, look.sound, look.noticed.size > 0]).toEqual([object, name, false, true])
      }
    }
  })
})
