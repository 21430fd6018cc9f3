/** Worker service 'verify': walks trees for what they name, and reads whole packs to prove what they hold. */
import { BackupError } from '../../errors.ts'
import type { PageRef } from '../../model/page.ts'
import type { ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { type BadPlaces, SoundIndex } from '../chunks/sound-index.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'
import { PackCheck, type PackJob } from './pack.ts'
import type { TreeProblem } from './problems.ts'
import { TreeWalk } from './walk.ts'

/** What the main thread answers: 'range' (bytes of a pack) and 'walked' (entries done since the last time). */
export interface VerifyInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

export interface WalkJob {
  pages: readonly PageRef[]
  /** Of all these pages; 0: leaves. */
  level: number
}

export interface SingleJob {
  id: Uint8Array
  rawBytes: number
}

export interface WalkAnswer {
  problems: TreeProblem[]
}

export interface ChildrenAnswer extends WalkAnswer {
  pages: PageRef[]
}

export async function createVerify(init: VerifyInit, host: Host): Promise<Service> {
  return new VerifyService(await createVault(init.vault), init, host)
}

class VerifyService implements Service {
  private readonly index: SoundIndex
  private readonly reader: ChunkReader
  private readonly packs: PackCheck
  private readonly host: Host
  private readonly sound = new Set<string>()

  constructor(vault: Vault, init: VerifyInit, host: Host) {
    this.index = new SoundIndex(init.tables)
    this.reader = new ChunkReader(vault, this.index, host)
    this.packs = new PackCheck(vault, this.index, host)
    this.host = host
  }

  call(method: string, args: unknown): unknown {
    if (method === 'pack') return this.packs.check(args as PackJob)
    if (method === 'walk') return this.walk(args as WalkJob)
    if (method === 'children') return this.children(args as WalkJob)
    if (method === 'single') return this.single(args as SingleJob)
    if (method === 'bad') return this.setBad(args as BadPlaces[])
    if (method === 'needed') return this.index.needed
    throw new BackupError('INTERNAL', `verify has no method ${method}`, { origin: 'repository' })
  }

  /** Walks from now on pass these by, and say what they cost. */
  private setBad(places: readonly BadPlaces[]): void {
    this.index.setBad(places)
    this.sound.clear()
  }

  private async walk({ pages, level }: WalkJob): Promise<WalkAnswer> {
    const walk = this.begin()
    await walk.pages(pages, level)
    return { problems: walk.problems.list }
  }

  /** What lies right below some inner pages, so that several threads can share the walk. */
  private async children({ pages, level }: WalkJob): Promise<ChildrenAnswer> {
    const walk = this.begin()
    const below: PageRef[] = []
    for (const page of pages) below.push(...(await walk.children(page, level)))
    return { pages: below.map(detached), problems: walk.problems.list }
  }

  private async single({ id, rawBytes }: SingleJob): Promise<WalkAnswer> {
    const walk = this.begin()
    await walk.single(id, rawBytes)
    return { problems: walk.problems.list }
  }

  private begin(): TreeWalk {
    return new TreeWalk(this.reader, this.index, this.sound, this.host)
  }
}

/** Ids as copies: a view would take the whole segment along to the other thread. */
function detached(page: PageRef): PageRef {
  return { ...page, id: new Uint8Array(page.id), fingerprintId: new Uint8Array(page.fingerprintId) }
}
