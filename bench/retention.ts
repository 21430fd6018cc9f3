/**
 * A plan to forget over 10,000 snapshots of a local repository: the decisions alone, the whole verb with everything in
 * memory, and the whole verb right after opening, which reads every record: node bench/retention.ts
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contextOf } from '../src/engine/engine-contexts.ts'
import { applyRetention } from '../src/engine/forget/retention.ts'
import { loadSnapshots } from '../src/engine/snapshots/load.ts'
import { BackupEngine, localTarget, type Retention, rawKey } from '../src/index.ts'
import { snapshotRecord } from '../src/model/snapshot.ts'
import { snapshotKey } from '../src/repository/keys-layout.ts'
import { memorySource } from '../src/testing/index.ts'
import { median } from './statistics.ts'

const SNAPSHOTS = 10_000
const HOLDS = 200
const ROUNDS = 7
const HOUR = 3_600_000
const POLICY: Retention = {
  keepLast: 5,
  keepHourly: 48,
  keepDaily: 30,
  keepWeekly: 12,
  keepMonthly: 24,
  keepQuarterly: 8,
  keepYearly: 10,
  keepWithin: '2w',
  timeZone: 'Europe/Berlin',
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-retention-'))
const open = (): Promise<BackupEngine> =>
  BackupEngine.open({
    target: localTarget(folder),
    key: rawKey(new Uint8Array(32).fill(7)),
    workers: 'inline',
    sources: [memorySource({ name: 'uploads', files: { a: 'content' } })],
  })

async function fill(): Promise<void> {
  const engine = await open()
  const { snapshot } = await engine.backup()
  const { records, notes } = contextOf(engine)!.repository.repository
  const key = snapshotKey(snapshot.id)
  const record = snapshotRecord.decode(records.open('snapshots', key, await records.getStored(key)), key)
  for (let n = 1; n < SNAPSHOTS; n++) {
    const createdAt = new Date(snapshot.createdAt.getTime() - n * HOUR)
    const id = `${createdAt
      .toISOString()
      .replace(/[-:.Z]/g, '')
      .toLowerCase()}-${String(n).padStart(10, '0')}`
    await records.put('snapshots', snapshotKey(id), snapshotRecord.encode({ ...record, id, runId: id, createdAt }))
    if (n % (SNAPSHOTS / HOLDS) === 0)
      await notes.write(id, (note) => ({ ...note, holds: [{ reason: 'audit' }] }), { now: createdAt })
  }
  await engine.close()
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function measure(): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {
    decisions: [],
    'plan, records in memory': [],
    'plan, just opened': [],
    load: [],
  }
  for (let round = 0; round < ROUNDS; round++) {
    const engine = await open()
    times['plan, just opened']!.push(await timed(() => engine.planForget({ retention: POLICY })))
    times['plan, records in memory']!.push(await timed(() => engine.planForget({ retention: POLICY })))
    const signal = new AbortController().signal
    const views = await loadSnapshots(contextOf(engine)!, signal)
    times.load!.push(await timed(() => loadSnapshots(contextOf(engine)!, signal)))
    times.decisions!.push(await timed(() => applyRetention(views, POLICY, { now: new Date() })))
    await engine.close()
  }
  return times
}

try {
  await fill()
  for (const [what, values] of Object.entries(await measure()))
    process.stdout.write(
      `${what}: median ${median(values).toFixed(0)} ms, worst ${Math.max(...values).toFixed(0)} ms\n`,
    )
} finally {
  rmSync(folder, { recursive: true })
}
