/** planPrune: says what a prune would free, rewrite and keep. Changes nothing. */
import type { Warning } from '../../events.ts'
import { packBytesFor } from '../../model/pack.ts'
import { readGc } from '../../repository/prune/gc.ts'
import { type Survey, survey } from '../../repository/prune/survey.ts'
import { MAX_RANGE_BYTES } from '../../workers/prune/tally.ts'
import type { ParsedPlanPruneOptions } from '../options/prune.ts'
import { planDigest } from '../plan-digest.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { PrunePlan } from '../types/prune.ts'
import { withPruneWork } from './work.ts'

export function planPrune(engine: EngineContext, options: ParsedPlanPruneOptions): Promise<PrunePlan> {
  return withQuietRun(engine, { verb: 'plan-prune', options }, (run) => plan(engine, options, run))
}

function plan(
  engine: EngineContext,
  { minDeadShare, keepDeletedMs, rekeyOldData }: ParsedPlanPruneOptions,
  run: RunContext,
): Promise<PrunePlan> {
  const request = { minDeadShare, keepDeletedMs, ...(rekeyOldData !== undefined && { rekeyOldData }) }
  return withPruneWork(engine, request, run, async (work) => {
    const { signal, records, clock } = work
    const before = clock.monotonicMs()
    const { n, dead } = await readGc(records, { signal })
    const latencyMs = clock.monotonicMs() - before
    const expiry = new Date(run.startedAt.getTime() - keepDeletedMs)
    const found = await survey({ ...work, dead, expiry, onPhase: (phase) => run.progress.phase(phase) })
    await found.contents.close()
    const numbers = numbersOf(found, engine)
    const body: Omit<PrunePlan, 'digest'> = {
      kind: 'prune',
      version: 1,
      repositoryId: engine.repository.id,
      createdAt: clock.now().toISOString(),
      destructive: numbers.free.packs > 0 || found.roots.expired.length > 0,
      request,
      snapshots: rootIds(found),
      expired: [...found.roots.expired].sort(),
      sequence: n,
      ...numbers,
      estimatedMs: estimate(numbers, latencyMs),
      warnings: warningsOf(found, engine),
    }
    return { ...body, digest: planDigest(body) }
  })
}

export function rootIds({ roots }: Survey): string[] {
  return [...new Set([...roots.snapshots, ...roots.trash].map(({ id }) => id))].sort()
}

type Numbers = Pick<PrunePlan, 'free' | 'rewrite' | 'keep' | 'requests'>

/** Packs fetched or stored with one call; deleted with one. */
const PACKS_PER_DELETE = 500

function numbersOf(
  { unneeded, unlisted, leftover, rewrite, packs, fragments }: Survey,
  engine: EngineContext,
): Numbers {
  const going = [...unneeded, ...unlisted, ...leftover, ...rewrite]
  const copied = Math.round(rewrite.reduce((sum, { neededBytes }) => sum + neededBytes, 0))
  const gone = bytesOf(going)
  const all = [...packs.values()].reduce((sum, bytes) => sum + bytes, 0)
  const { target } = engine.repository.repository
  const { remote = false } = target.traits
  const newPacks = Math.ceil(copied / packBytesFor(target))
  const lists = Math.ceil(packs.size / 1000) * 2 + 12
  const ranges = rewrite.reduce((sum, { bytes }) => sum + Math.ceil(bytes / MAX_RANGE_BYTES), 0)
  const deletes = remote ? Math.ceil(going.length / PACKS_PER_DELETE) : going.length
  return {
    free: { packs: going.length, bytes: gone - copied },
    rewrite: { packs: rewrite.length, bytes: copied },
    keep: { packs: packs.size - going.length, bytes: all - gone },
    requests: lists + 2 * fragments + ranges + newPacks + deletes + 6,
  }
}

function bytesOf(packs: readonly { bytes: number }[]): number {
  return packs.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Bytes a millisecond that a copy makes on an ordinary line. */
const COPY_RATE = 50_000
const CALLS_AT_ONCE = 4

function estimate({ requests, rewrite }: Numbers, latencyMs: number): number {
  return Math.ceil((requests * latencyMs) / CALLS_AT_ONCE + (2 * rewrite.bytes) / COPY_RATE)
}

function warningsOf({ roots, isTrashIncomplete }: Survey, { warnings: known }: EngineContext): Warning[] {
  const incomplete = 'Forgotten snapshots need something that is nowhere, and cannot be brought back whole.'
  const warnings = isTrashIncomplete ? [...known, { code: 'TRASH_INCOMPLETE' as const, message: incomplete }] : known
  if (roots.trash.length === 0) return [...warnings]
  const message = `${roots.trash.length} forgotten snapshots are kept until their time is over; keepDeletedMs: 0 frees them now`
  return [...warnings, { code: 'TRASH_KEPT', message, details: { snapshots: roots.trash.length } }]
}
