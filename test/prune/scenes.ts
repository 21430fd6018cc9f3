/** Who meets whom in which repository. */
import { randomBytes } from '../../src/crypto/random.ts'
import { encodeFragment } from '../../src/model/fragment.ts'
import { snapshotRecord } from '../../src/model/snapshot.ts'
import { encodeTrash } from '../../src/model/trash.ts'
import type { PruneRules } from '../../src/repository/prune/rules.ts'
import { erase, repair, undo } from './actors.ts'
import type { Scene } from './explorer.ts'
import { holds, litter, lostChunks } from './oracle.ts'
import { hastyClock, targetOver } from './plain.ts'
import type { Body } from './scheduler.ts'
import { ALL_WRITER_RULES, contentName, oldId, type World, type WriterRules } from './world.ts'

export interface Rules {
  writer: Partial<WriterRules>
  prune: Partial<PruneRules>
  forgetsWithoutTombstone: boolean
  mergesByContent: boolean
  /** Of repair: nothing is retired where packs are dead that hold what was saved of it. */
  asksAfterSaved: boolean
  /** Of undo and erase: what a snapshot needs may lie in a pack that a prune has named. */
  relies: boolean
  /** Of erase: nothing says that the snapshot was erased. */
  leavesNoMark: boolean
}

const NO_CHANGE: Rules = {
  writer: {},
  prune: {},
  forgetsWithoutTombstone: false,
  mergesByContent: false,
  asksAfterSaved: true,
  relies: false,
  leavesNoMark: false,
}

/** Packs as lists of segments of chunks, and what snapshots need. */
interface Contents {
  packs: readonly (readonly (readonly string[])[])[]
  snapshots: Readonly<Record<string, readonly string[]>>
  trash?: Readonly<Record<string, readonly string[]>>
}

export const CONTENTS = {
  /** s0 needs X, beside which lies much that nobody needs; nobody needs Z, and a writer may want it. */
  usual: { packs: [[['X'], ['D']], [['Y']], [['Z']]], snapshots: { s0: ['X'], s1: ['Y'] } },
  /** The same without anything that could be copied: shorter schedules. */
  whole: { packs: [[['X']], [['Y']], [['Z']]], snapshots: { s0: ['X'], s1: ['Y'] } },
  /** s0 is forgotten, and its time is over. */
  forgotten: { packs: [[['X']], [['Y']]], snapshots: { s1: ['Y'] }, trash: { s0: ['X'] } },
  /** Nobody needs X; a copy of s0, which did, is still on its way. */
  late: { packs: [[['X']], [['Y']]], snapshots: { s1: ['Y'] } },
  /** Nobody needs Y before a writer has it again. */
  loose: { packs: [[['Y']], [['Z']]], snapshots: {} },
  /** s0 needs more than its successor will. */
  common: { packs: [[['Y'], ['D']], [['X']]], snapshots: { s0: ['X', 'Y'] } },
  /** X lies in two packs; which of them is the better place depends on s0. */
  doubled: { packs: [[['X', 'D']], [['X'], ['Z']]], snapshots: { s0: ['D', 'X'], s1: ['X'] } },
} satisfies Record<string, Contents>

async function base(
  world: World,
  { packs, snapshots, trash = {} }: Contents,
  isRandom: boolean,
): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>()
  const { records } = world.at(targetOver(objects))
  for (const segments of packs) {
    const pack = world.pack(segments, isRandom)
    const name = Buffer.from(pack.name).toString('hex')
    objects.set(`packs/${name.slice(0, 2)}/${name}`, pack.bytes)
    const key = `index/${Buffer.from(randomBytes(32)).toString('hex')}`
    objects.set(key, records.seal('index', key, encodeFragment({ runId: 'old', packs: [pack] }, randomBytes(32))))
  }
  for (const [id, names] of Object.entries(snapshots)) {
    const key = `snapshots/${oldId(id)}`
    objects.set(key, records.seal('snapshots', key, snapshotRecord.encode(world.snapshot(oldId(id), names))))
  }
  for (const [name, names] of Object.entries(trash)) objects.set(...trashOf(world, name, names))
  return objects
}

function trashOf(world: World, name: string, names: readonly string[]): [string, Uint8Array<ArrayBuffer>] {
  const id = oldId(name)
  const copy = encodeTrash({ id, at: new Date('2026-01-02T00:00:00Z'), snapshot: world.snapshot(id, names) })
  return [`trash/${id}`, world.repository.records.seal('snapshots', `trash/${id}`, copy)]
}

function firstPack(objects: ReadonlyMap<string, Uint8Array>): string {
  return [...objects.keys()]
    .find((key) => key.startsWith('packs/'))!
    .split('/')
    .at(-1)!
}

export type ActorName =
  | 'writer1'
  | 'writer2'
  /** Its engine has been open since before all this, and has read the index then. */
  | 'oldWriter'
  | 'prune1'
  | 'prune2'
  | 'forget'
  | 'forgetWriter1'
  | 'merge1'
  | 'merge2'
  /** Of who forgot s0 long ago: a call that was said to have failed, and arrives now. */
  | 'lateCopy'
  /** Brings s0 back, of which only the copy is there. */
  | 'undo'
  /** Ends s0, once a successor without X is there; or its copy. */
  | 'erase'
  /** The same of w2, without Z. */
  | 'eraseWriter2'
  /** Takes the first pack for damaged. */
  | 'repair'

export async function scene(
  world: World,
  names: readonly ActorName[],
  over: Partial<Rules> = {},
  contents: keyof typeof CONTENTS = 'usual',
): Promise<Scene> {
  const rules = { ...NO_CHANGE, ...over }
  const writer = { ...ALL_WRITER_RULES, ...rules.writer }
  const nameOf = rules.mergesByContent ? contentName : undefined
  const objects = await base(world, CONTENTS[contents], writer.randomPackNames)
  const looked = [...objects.keys()].flatMap((key) => /^(snapshots|trash)\/(.*)/.exec(key)?.[2] ?? [])
  let isErased = false
  const actors: Record<ActorName, Body> = {
    writer1: (target, clock) => world.write(target, clock, ['X', 'Z', 'N'], writer, oldId('w1')),
    oldWriter: (target, clock) => world.write(target, clock, ['X', 'Z'], writer, oldId('w0'), objects),
    writer2: (target, clock) => world.write(target, clock, ['Z', 'Y'], writer, oldId('w2')),
    prune1: async (target, clock) => void (await world.prune(target, clock, rules.prune, 'p1')),
    prune2: async (target, clock) => void (await world.prune(target, clock, rules.prune, 'p2')),
    forget: (target, clock) => world.forget(target, clock, oldId('s0'), rules.forgetsWithoutTombstone),
    forgetWriter1: (target, clock) => world.forget(target, clock, oldId('w1'), rules.forgetsWithoutTombstone),
    merge1: (target) => world.merge(target, nameOf),
    merge2: (target) => world.merge(target, nameOf),
    lateCopy: async (target) => void (await target.put(...trashOf(world, 's0', ['X']))),
    undo: (target, clock) => undo(world, target, clock, oldId('s0'), rules),
    erase: async (target, clock) => {
      isErased = false
      isErased = await erase(world, target, clock, { ...rules, id: oldId('s0'), staying: ['Y'], looked })
    },
    eraseWriter2: async (target, clock) =>
      void (await erase(world, target, clock, { ...rules, id: oldId('w2'), staying: ['Y'], looked })),
    repair: (target, clock) => repair(world, target, clock, firstPack(objects), rules.asksAfterSaved),
  }
  return {
    objects,
    actors: Object.fromEntries(names.map((name) => [name, actors[name]])),
    check: (objects) => lostChunks(world, objects),
    finish: async (objects) =>
      isErased && (await comesBack(world, objects))
        ? ['X, which was erased, is there']
        : await aftermath(world, objects, writer),
  }
}

/** After a prune that keeps whatever can still be brought back. */
async function comesBack(world: World, objects: ReadonlyMap<string, Uint8Array>): Promise<boolean> {
  const after = new Map(objects)
  const everything = { keepDeletedMs: 1e12, minDeadShare: 1e-15 }
  await world.prune(targetOver(after), hastyClock(), {}, 'perase', everything)
  return holds(world, after, 'X')
}

/** A backup of everything and a prune, one after the other: what a schedule has left behind must not spoil them. */
async function aftermath(world: World, objects: Map<string, Uint8Array>, writer: WriterRules): Promise<string[]> {
  const target = targetOver(objects)
  const clock = hastyClock()
  const rules = { ...ALL_WRITER_RULES, obeysDead: writer.obeysDead, randomPackNames: writer.randomPackNames }
  await world.write(target, clock, ['X', 'Y', 'Z', 'N'], rules, 'last')
  const lost = lostChunks(world, objects)
  if (lost.length > 0) return lost
  await world.prune(target, clock, {}, 'plast')
  const left = litter(world, objects).map((key) => `${key} is left`)
  return [...lostChunks(world, objects), ...left]
}
