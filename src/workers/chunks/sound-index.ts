/** The chunk index as a check sees it: what was found bad is passed over, and what is needed is noted. */
import { ChunkIndex, type ChunkTable, type ChunkTablePlain, type Location } from './chunk-index.ts'

/** Of one table, by number: packs that cannot be used at all, and entries (chunks) that are damaged where they lie. */
export interface BadPlaces {
  packs: readonly number[]
  entries: readonly number[]
}

/** Why a chunk cannot be had. `pack`: where the index says it is; absent where it says nothing. */
export interface ChunkTrouble {
  why: 'unknown' | 'pack' | 'damaged' | 'length'
  pack?: string
}

interface TableState {
  table: ChunkTable
  badPacks: Uint8Array
  badEntries: ReadonlySet<number>
  neededPacks: Uint8Array
}

export class SoundIndex extends ChunkIndex {
  private readonly states: TableState[]

  constructor(tables: readonly ChunkTablePlain[]) {
    super(tables)
    this.states = this.tables.map((table) => ({
      table,
      badPacks: new Uint8Array(table.packCount),
      badEntries: new Set<number>(),
      neededPacks: new Uint8Array(table.packCount),
    }))
  }

  /** Takes the place of what was bad before. */
  setBad(places: readonly BadPlaces[]): void {
    for (const [number, state] of this.states.entries()) {
      const { packs = [], entries = [] } = places[number] ?? {}
      state.badPacks.fill(0)
      for (const pack of packs) state.badPacks[pack] = 1
      state.badEntries = new Set(entries)
    }
  }

  /** A flag for each pack of each table that a look-up has come to. */
  get needed(): Uint8Array[] {
    return this.states.map(({ neededPacks }) => neededPacks)
  }

  /** A chunk may be in several packs: one good place is enough. */
  override find(id: Uint8Array, at = 0): Location | undefined {
    for (const [number, state] of this.states.entries()) {
      for (const entry of entriesOf(state.table, id, at)) {
        if (isGood(state, entry)) return state.table.location(entry, number)
      }
    }
    return undefined
  }

  /** Undefined: the chunk is there, with this length. Else the first thing that is wrong. */
  trouble(id: Uint8Array, lengthBytes: number): ChunkTrouble | undefined {
    let first: ChunkTrouble | undefined
    for (const state of this.states) {
      const { table } = state
      for (let entry = table.findLive(id); entry >= 0; entry = table.findLiveNext(id)) {
        const pack = table.packNumber(entry)
        state.neededPacks[pack] = 1
        const good = isGood(state, entry)
        if (good && table.lengthOf(entry) === lengthBytes) return undefined
        first ??= { why: good ? 'length' : state.badPacks[pack] ? 'pack' : 'damaged', pack: table.packName(pack) }
      }
    }
    return first ?? { why: 'unknown' }
  }
}

function* entriesOf(table: ChunkTable, id: Uint8Array, at: number): Generator<number> {
  for (let entry = table.findLive(id, at); entry >= 0; entry = table.findLiveNext(id, at)) yield entry
}

function isGood(state: TableState, entry: number): boolean {
  return state.badPacks[state.table.packNumber(entry)] === 0 && !state.badEntries.has(entry)
}
