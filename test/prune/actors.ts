/** Undo, erase and repair as they ship, but for trees and what makes a verb a run of an engine. */

import { unlooked } from '../../src/engine/erase/everything.ts'
import { requireKept } from '../../src/engine/rewrite/rewrite-snapshot.ts'
import type { RunContext } from '../../src/engine/run/context.ts'
import type { EngineContext } from '../../src/engine/types/context.ts'
import { bringBack } from '../../src/engine/undo/undo-forget.ts'
import { NO_CACHE } from '../../src/repository/cache/object-cache.ts'
import { commitSnapshot } from '../../src/repository/commit.ts'
import { OpenRepository } from '../../src/repository/open-repository.ts'
import { eraseSnapshot } from '../../src/repository/prune/erased.ts'
import { type Retired, retirePacks } from '../../src/repository/repair/retire.ts'
import { type Run, startRun } from '../../src/repository/runs.ts'
import { RepositoryWriter } from '../../src/repository/writer.ts'
import { type Target, wrapTarget } from '../../src/targets/target.ts'
import type { Clock } from '../../src/util/clock.ts'
import { acquirePool, type Lease } from '../../src/workers/threads/pool.ts'
import type { Thread } from '../../src/workers/threads/rpc.ts'
import { sessionOf } from './transport.ts'
import { oldId, type World } from './world.ts'

interface Place {
  readonly engine: EngineContext
  readonly lease: Lease
  readonly run: RunContext
}

const signal = new AbortController().signal
const nothing = (): void => undefined

/** `relies`: takes all for reliable, whatever prunes have named. */
function place(world: World, target: Target, clock: Clock, relies = false): Place {
  const repository = world.at(target)
  const open = new OpenRepository({ repository, pool: acquirePool('inline'), transforms: [], decodeCheck: false })
  const threads = [relies ? trusting(world.thread()) : world.thread()]
  const lease = { threads, release: nothing } as unknown as Lease
  const engine = { repository: open, target, clock, host: 'here' } as unknown as EngineContext
  const progress = { phase: nothing, total: nothing, add: nothing, touch: nothing }
  const run = { runId: 'e', verb: 'undo', actor: undefined, startedAt: clock.now(), signal, progress, warn: nothing }
  return { engine, lease, run: run as unknown as RunContext }
}

function trusting(thread: Thread): Thread {
  const open: Thread['open'] = async (service, init, handlers) =>
    service === 'reliance' ? sessionOf({ call: async () => undefined }) : thread.open(service, init, handlers)
  return { ...thread, open }
}

function start({ engine }: Place, runId: string, verb: string): Promise<Run> {
  const { repository } = engine.repository
  return startRun(repository, { runId: oldId(runId), verb, host: 'here', clock: engine.clock, pid: 1 })
}

export async function undo(
  world: World,
  target: Target,
  clock: Clock,
  id: string,
  { relies }: { relies: boolean },
): Promise<void> {
  const at = place(world, target, clock, relies)
  const protocol = await start(at, 'u1', 'undo')
  try {
    await bringBack(at.engine, at.run, at.lease, protocol, id)
    await target.delete([`trash/${id}`])
  } finally {
    await protocol.finish()
  }
}

interface Erase {
  id: string
  /** Of what it holds. */
  staying: readonly string[]
  /** What there was when it was planned. */
  looked: readonly string[]
  relies: boolean
  leavesNoMark: boolean
}

/** The successor takes over what stays: nothing is stored but its record. True: nothing else can hold what has gone. */
export async function erase(world: World, target: Target, clock: Clock, options: Erase): Promise<boolean> {
  const { id, leavesNoMark } = options
  const here = world.at(target)
  await succeed(world, target, clock, options)
  await eraseSnapshot({ records: here.records, id, now: clock.now(), leavesNoMark })
  const { snapshots, runs } = await unlooked(here, new Set([...options.looked, oldId('e1')]), {})
  return snapshots.length + runs.length === 0
}

async function succeed(world: World, target: Target, clock: Clock, { id, staying, relies }: Erase): Promise<void> {
  const at = place(world, target, clock, relies)
  const { records } = world.at(target)
  const protocol = await start(at, 'e1', 'erase')
  try {
    await at.engine.repository.refreshIndex(at.lease, signal, protocol)
    const { snapshots } = await protocol.found.all()
    const origin = snapshots.find((each) => each.id === id)
    if (!origin) return
    const request = { origin, why: 'erase', judge: { kind: 'lost' }, listed: 0 } as const
    await requireKept(at.engine, at.run, at.lease, protocol, request)
    await commitSnapshot({ records, run: protocol, snapshot: world.snapshot(oldId('e1'), staying), clock })
  } finally {
    await protocol.finish()
  }
}

/** All that the pack holds is stored once more; then the pack is named dead. Again, where that was lost meanwhile. */
export async function repair(
  world: World,
  target: Target,
  clock: Clock,
  pack: string,
  asksAfterSaved: boolean,
): Promise<void> {
  for (let attempt = 1; attempt < 4; attempt++) {
    const rely = await save(world, target, clock, pack, `r${attempt}`)
    const { state } = await retire(world, damagedAt(target, pack), clock, pack, asksAfterSaved ? rely : [])
    if (state !== 'again') return
  }
}

/** Others read the pack as it is. */
function damagedAt(target: Target, pack: string): Target {
  const get: Target['get'] = async (key, options) => {
    const bytes = await target.get(key, options)
    return key.endsWith(pack) ? bytes.map((byte) => byte ^ 1) : bytes
  }
  return wrapTarget(target, { get } satisfies Partial<Target>)
}

async function save(world: World, target: Target, clock: Clock, pack: string, runId: string): Promise<string[]> {
  const at = place(world, target, clock)
  const { index } = at.engine.repository
  const protocol = await start(at, runId, 'repair')
  try {
    await at.engine.repository.refreshIndex(at.lease, signal, protocol)
    index.markAbsent(new Set([pack]))
    const writer = await RepositoryWriter.open({
      target,
      vault: world.vault,
      cache: NO_CACHE,
      index,
      threads: [world.thread()],
      runId: protocol.runId,
      onUnreadable: 'skip',
      signal,
      onStored: nothing,
      onRead: nothing,
    })
    await writer.tree.call('put', 'X')
    await writer.finish()
    await writer.close()
    return writer.storedPacks
  } finally {
    await protocol.finish()
  }
}

function retire(world: World, target: Target, clock: Clock, pack: string, rely: string[]): Promise<Retired> {
  return retirePacks({
    target,
    records: world.at(target).records,
    vault: world.vault,
    renew: async () => world.vault,
    threads: [world.thread()],
    signal,
    clock,
    host: 'here',
    runId: 'r',
    stillMs: 1,
    pollMs: 1,
    graceMs: 0,
    packs: [pack],
    rely,
  })
}
