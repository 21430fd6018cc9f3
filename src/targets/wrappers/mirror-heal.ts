/** Brings mirrors up to what the first target has. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { ObjectInfo, Target } from '../target.ts'
import { isIdentity, isRun, packHash } from './key-classes.ts'
import type { MirrorLane } from './mirror-lane.ts'

export interface HealOptions {
  signal?: AbortSignal | undefined
  /**
   * How objects that both have are compared. 'listing' (default): by size, and by checksum where both keep the same kind;
   * 'bytes': by reading both, which finds damage as well.
   */
  compare?: 'listing' | 'bytes'
  /**
   * What a mirror has and the first target has not: 'keep' (default) and count, since it may be what the first has lost; or
   * 'delete', which a mirror needs after a prune that it has missed.
   */
  extra?: 'keep' | 'delete'
  onProgress?: (progress: HealProgress) => void
}

export interface HealProgress {
  /** Name of the mirror. */
  target: string
  /** Objects dealt with, of this mirror. */
  done: number
  total: number
}

/** Objects of all mirrors together. */
export interface HealResult {
  /** Were missing on a mirror. */
  copied: number
  /** Were different on a mirror. */
  replaced: number
  /** Packs that were damaged on the first target, and were put back from a mirror. */
  repaired: number
  /** Extra ones that were deleted. */
  deleted: number
  /** Extra ones that were kept. */
  extra: number
  /** Packs that are not what their name says on any of the two. */
  damaged: readonly string[]
  /** Bytes written. */
  bytes: number
}

type Tally = { -readonly [K in keyof HealResult]: HealResult[K] } & { damaged: string[] }

/** Objects read and written at once; a pack may have 17 MiB. */
const AT_ONCE = 4

export async function healMirrors(
  primary: Target,
  lanes: readonly MirrorLane[],
  options: HealOptions,
): Promise<HealResult> {
  const { signal } = options
  const tally: Tally = { copied: 0, replaced: 0, repaired: 0, deleted: 0, extra: 0, damaged: [], bytes: 0 }
  for (const lane of lanes) {
    throwIfAborted(signal)
    const healed = lane.beginHeal()
    const [theirs, mine] = [await listAll(lane.target, signal), await listAll(primary, signal)]
    const heal = new Heal(primary, lane, options, tally)
    await heal.assertSameRepository(mine, theirs)
    await heal.bringUp(mine, theirs)
    await heal.extras([...theirs.keys()].filter((key) => !mine.has(key)))
    healed()
  }
  return tally
}

type Listed = ReadonlyMap<string, ObjectInfo>

async function listAll(target: Target, signal: AbortSignal | undefined): Promise<Listed> {
  const all = new Map<string, ObjectInfo>()
  for await (const info of target.list('', { signal })) all.set(info.key, info)
  return all
}

/** One mirror. */
class Heal {
  readonly #primary: Target
  readonly #lane: MirrorLane
  readonly #mirror: Target
  readonly #options: HealOptions
  readonly #tally: Tally

  constructor(primary: Target, lane: MirrorLane, options: HealOptions, tally: Tally) {
    this.#primary = primary
    this.#lane = lane
    this.#mirror = lane.target
    this.#options = options
    this.#tally = tally
  }

  /** Nothing has been changed yet. */
  async assertSameRepository(mine: Listed, theirs: Listed): Promise<void> {
    const identities = [...theirs.keys()].filter(isIdentity)
    if (theirs.size > 0 && (mine.size === 0 || (identities.length > 0 && ![...mine.keys()].some(isIdentity)))) {
      throw nothingThere(this.#primary, this.#mirror)
    }
    for (const key of identities) {
      if (mine.has(key) && !(await this.#isSameBytes(key))) throw foreign(this.#mirror, key)
    }
  }

  async bringUp(mine: Listed, theirs: Listed): Promise<void> {
    const { signal, onProgress } = this.#options
    const all = [...mine.values()].sort((a, b) => rank(a.key) - rank(b.key))
    let done = 0
    for (const group of groupsOf(all)) {
      const each = (info: ObjectInfo): Promise<void> => this.#bring(info, theirs.get(info.key))
      for await (const _ of mapBounded(group, AT_ONCE, each, signal)) {
        onProgress?.({ target: this.#mirror.name, done: ++done, total: all.length })
      }
    }
  }

  async #bring(mine: ObjectInfo, there: ObjectInfo | undefined): Promise<void> {
    if (!there) return await this.#inTurn(mine.key, () => this.#copy(mine.key, 'copied'))
    if (await this.#isSame(mine, there)) return
    await this.#inTurn(mine.key, () => this.#settle(mine.key))
  }

  /** In order with the writes of this process to the same key. */
  async #inTurn(key: string, run: () => Promise<unknown>): Promise<void> {
    const signal = this.#options.signal ?? new AbortController().signal
    await this.#lane.add({ operation: 'put', keys: [key], signal, run })
  }

  async #isSame(mine: ObjectInfo, there: ObjectInfo): Promise<boolean> {
    if (mine.size !== there.size) return false
    // A heartbeat is as long as the one before.
    if (this.#options.compare === 'bytes' || isRun(mine.key)) return await this.#isSameBytes(mine.key)
    const sameKind = this.#primary.traits.checksums === this.#mirror.traits.checksums
    return !sameKind || mine.checksum === undefined || !there.checksum || mine.checksum === there.checksum
  }

  async #isSameBytes(key: string): Promise<boolean> {
    const [mine, there] = await Promise.all([this.#read(this.#primary, key), this.#read(this.#mirror, key)])
    return mine !== undefined && there !== undefined && Buffer.compare(mine, there) === 0
  }

  /** They differ: of packs the one that its name fits is right. */
  async #settle(key: string): Promise<void> {
    const hash = packHash(key)
    const mine = hash === undefined ? undefined : await this.#read(this.#primary, key)
    if (hash === undefined || (mine && sha256Hex(mine) === hash)) return await this.#copy(key, 'replaced')
    const there = await this.#read(this.#mirror, key)
    if (!there || sha256Hex(there) !== hash) this.#tally.damaged.push(key)
    else if (mine) await this.#put(this.#primary, key, there, 'repaired')
  }

  async #copy(key: string, how: 'copied' | 'replaced'): Promise<void> {
    const body = await this.#read(this.#primary, key)
    if (!body) return
    const hash = packHash(key)
    // Damage is not spread.
    if (hash !== undefined && sha256Hex(body) !== hash) this.#tally.damaged.push(key)
    else await this.#put(this.#mirror, key, body, how)
  }

  async #put(
    target: Target,
    key: string,
    body: Uint8Array<ArrayBuffer>,
    how: 'copied' | 'replaced' | 'repaired',
  ): Promise<void> {
    await target.put(key, body, { signal: this.#options.signal })
    this.#tally[how]++
    this.#tally.bytes += body.byteLength
  }

  /** Undefined for one that has gone meanwhile. */
  async #read(target: Target, key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await target.get(key, { signal: this.#options.signal })
    } catch (error) {
      if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
      throw error
    }
  }

  async extras(keys: readonly string[]): Promise<void> {
    const { extra = 'keep', signal } = this.#options
    if (extra === 'keep') {
      this.#tally.extra += keys.length
      return
    }
    const each = (key: string): Promise<void> => this.#inTurn(key, () => this.#deleteExtra(key))
    for await (const _ of mapBounded(keys, AT_ONCE, each, signal));
  }

  /** It may have been created since the listing. */
  async #deleteExtra(key: string): Promise<void> {
    const { signal } = this.#options
    if (await this.#primary.stat(key, { signal })) return
    await this.#mirror.delete([key], { signal })
    this.#tally.deleted++
  }
}

/** What a snapshot needs comes before it, so that a mirror that is being healed has no snapshot that is not whole. */
function rank(key: string): number {
  if (packHash(key) !== undefined) return 0
  if (/(^|\/)index\//.test(key)) return 1
  return /(^|\/)snapshots\//.test(key) ? 3 : 2
}

function groupsOf(sorted: readonly ObjectInfo[]): ObjectInfo[][] {
  const groups = new Map<number, ObjectInfo[]>()
  for (const info of sorted) {
    const group = groups.get(rank(info.key))
    if (group) group.push(info)
    else groups.set(rank(info.key), [info])
  }
  return [...groups.values()]
}

function nothingThere(primary: Target, mirror: Target): BackupError {
  return new BackupError(
    'REPOSITORY_NOT_FOUND',
    `${primary.name} holds no repository, and ${mirror.name} holds objects`,
    {
      origin: 'repository',
      details: { target: primary.name, mirror: mirror.name },
      hint: 'Nothing was changed. If the first target has lost it, list the targets in the other order and heal that.',
    },
  )
}

function foreign(mirror: Target, key: string): BackupError {
  return new BackupError('REPOSITORY_FOREIGN', `${mirror.name} holds another repository`, {
    origin: 'repository',
    details: { target: mirror.name, key },
    hint: 'Nothing was changed on it. Give the mirror an empty place.',
  })
}
