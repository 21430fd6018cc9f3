/**
 * A hash table of 32-byte chunk ids in shared memory, insert-only, written by any number of threads without a lock.
 *
 * Ids are keyed hashes, so their first 4 bytes are the hash. A slot holds entry number + 1, 0 = empty. An insert writes
 * the id first and publishes it by one compare-and-swap on the slot, so a reader that sees the slot sees the id
 * (Atomics are sequentially consistent). A table is never grown: owners chain a new one behind it.
 */
const HEADER_WORDS = 4
const COUNT = 0

export interface IdTablePlain {
  buffer: SharedArrayBuffer
  capacity: number
  /** Bytes of further columns for each entry, kept by the owner of the table. */
  columnBytes: number
}

export class IdTable {
  readonly plain: IdTablePlain
  readonly capacity: number
  private readonly header: Int32Array
  private readonly slots: Int32Array
  private readonly words: Int32Array
  readonly columnsAt: number

  constructor(plain: IdTablePlain) {
    this.plain = plain
    this.capacity = plain.capacity
    const slotCount = slotsFor(plain.capacity)
    const slotsAt = HEADER_WORDS * 4
    const wordsAt = slotsAt + slotCount * 4
    this.header = new Int32Array(plain.buffer, 0, HEADER_WORDS)
    this.slots = new Int32Array(plain.buffer, slotsAt, slotCount)
    this.words = new Int32Array(plain.buffer, wordsAt, plain.capacity * 8)
    this.columnsAt = wordsAt + plain.capacity * 32
  }

  /** Load is at most 0.7: 5.7 bytes of slots a chunk. */
  static create(capacity: number, columnBytes = 0): IdTable {
    const bytes = HEADER_WORDS * 4 + slotsFor(capacity) * 4 + capacity * (32 + columnBytes)
    return new IdTable({ buffer: new SharedArrayBuffer(bytes), capacity, columnBytes })
  }

  /** Entries taken, those lost to a race included. */
  get count(): number {
    return Math.min(Atomics.load(this.header, COUNT), this.capacity)
  }

  get sizeBytes(): number {
    return this.plain.buffer.byteLength
  }

  /** First entry with this id at or after `from` in probe order (a value of `probe`), or -1. `next` resumes behind it. */
  find(id: Uint8Array, at = 0): number {
    return this.findFrom(id, at, this.home(id, at))
  }

  private probeSlot = 0

  /** The next entry with the same id after the last find. */
  findNext(id: Uint8Array, at = 0): number {
    return this.findFrom(id, at, (this.probeSlot + 1) % this.slots.length)
  }

  /** First entry with the id of an entry of another table, or of this one; -1 if there is none. Copies nothing. */
  findLike(other: IdTable, entry: number): number {
    return this.likeFrom(other, entry, this.homeOf(other.words[entry * 8]!))
  }

  /** The next one after the last that was found. */
  findNextLike(other: IdTable, entry: number): number {
    return this.likeFrom(other, entry, (this.probeSlot + 1) % this.slots.length)
  }

  private likeFrom(other: IdTable, like: number, start: number): number {
    const { slots } = this
    for (let slot = start; ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const entry = Atomics.load(slots, slot) - 1
      if (entry < 0) return -1
      if (this.equalsLike(entry, other.words, like * 8)) {
        this.probeSlot = slot
        return entry
      }
    }
  }

  private equalsLike(entry: number, others: Int32Array, from: number): boolean {
    const { words } = this
    const base = entry * 8
    for (let i = 0; i < 8; i++) if (words[base + i] !== others[from + i]) return false
    return true
  }

  /** True if this entry is there and has this id. */
  isAt(entry: number, id: Uint8Array, at = 0): boolean {
    return entry < this.count && this.equals(entry, id, at)
  }

  private findFrom(id: Uint8Array, at: number, start: number): number {
    const { slots } = this
    for (let slot = start; ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const entry = Atomics.load(slots, slot) - 1
      if (entry < 0) return -1
      if (this.equals(entry, id, at)) {
        this.probeSlot = slot
        return entry
      }
    }
  }

  /** Adds an entry whether or not the id is there already. -1: the table is full. */
  add(id: Uint8Array, at = 0): number {
    const entry = this.allocate(id, at)
    if (entry < 0) return -1
    const { slots } = this
    for (let slot = this.home(id, at); ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      if (slots[slot] === 0 && Atomics.compareExchange(slots, slot, 0, entry + 1) === 0) return entry
    }
  }

  /** 'claimed': the caller is the first with this id. 'known': somebody was before. 'full': no room, nothing is said. */
  claim(id: Uint8Array, at = 0): 'claimed' | 'known' | 'full' {
    const { slots } = this
    let entry = -1
    for (let slot = this.home(id, at); ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      let taken = Atomics.load(slots, slot)
      if (taken === 0) {
        if (entry < 0) entry = this.allocate(id, at)
        if (entry < 0) return 'full'
        taken = Atomics.compareExchange(slots, slot, 0, entry + 1)
        if (taken === 0) return 'claimed'
      }
      if (this.equals(taken - 1, id, at)) return 'known'
    }
  }

  private allocate(id: Uint8Array, at: number): number {
    if (Atomics.load(this.header, COUNT) >= this.capacity) return -1
    const entry = Atomics.add(this.header, COUNT, 1)
    if (entry >= this.capacity) return -1
    const base = entry * 8
    for (let i = 0; i < 8; i++) this.words[base + i] = wordAt(id, at + i * 4)
    return entry
  }

  private home(id: Uint8Array, at: number): number {
    return this.homeOf(wordAt(id, at))
  }

  private homeOf(word: number): number {
    return Math.floor(((word >>> 0) / 4294967296) * this.slots.length)
  }

  private equals(entry: number, id: Uint8Array, at: number): boolean {
    const base = entry * 8
    const { words } = this
    for (let i = 0; i < 8; i++) if (words[base + i] !== wordAt(id, at + i * 4)) return false
    return true
  }

  idOf(entry: number): Uint8Array {
    const id = new Uint8Array(32)
    this.copyId(entry, new DataView(id.buffer), 0)
    return id
  }

  copyId(entry: number, out: DataView, at: number): void {
    for (let i = 0; i < 8; i++) out.setInt32(at + i * 4, this.words[entry * 8 + i]!, true)
  }
}

function slotsFor(capacity: number): number {
  return Math.ceil(capacity / 0.7) + 8
}

function wordAt(id: Uint8Array, at: number): number {
  return id[at]! | (id[at + 1]! << 8) | (id[at + 2]! << 16) | (id[at + 3]! << 24)
}
