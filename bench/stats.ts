/** stats() over 10,000 snapshots and as many reports of a local repository, right after opening and then: node bench/stats.ts */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contextOf } from '../src/engine/engine-contexts.ts'
import { BackupEngine, localTarget, rawKey } from '../src/index.ts'
import { reportRecord } from '../src/model/report.ts'
import { snapshotRecord } from '../src/model/snapshot.ts'
import { reportKey, snapshotKey } from '../src/repository/keys-layout.ts'
import { memorySource } from '../src/testing/index.ts'
import { median } from './statistics.ts'

const SNAPSHOTS = 10_000
const ROUNDS = 7
const HOUR = 3_600_000

const folder = mkdtempSync(join(tmpdir(), 'holdfast-stats-'))
const open = (): Promise<BackupEngine> =>
  BackupEngine.open({
    target: localTarget(folder),
    key: rawKey(new Uint8Array(32).fill(7)),
    workers: 'inline',
    sources: [memorySource({ name: 'uploads', files: { a: 'content' } })],
  })

async function fill(): Promise<void> {
  const engine = await open()
  const { snapshot, runId } = await engine.backup()
  const { records } = contextOf(engine)!.repository.repository
  const key = snapshotKey(snapshot.id)
  const record = snapshotRecord.decode(records.open('snapshots', key, await records.getStored(key)), key)
  const stored = await records.getStored(reportKey(runId))
  const report = reportRecord.decode(records.open('control', reportKey(runId), stored), reportKey(runId))
  for (let n = 1; n < SNAPSHOTS; n++) {
    const createdAt = new Date(snapshot.createdAt.getTime() - n * HOUR)
    const time = createdAt.toISOString().replace(/[-:.Z]/g, '')
    const id = `${time.toLowerCase()}-${String(n).padStart(10, '0')}`
    const next = { ...record, id, runId: id, createdAt, tags: [`tag-${n % 7}`] }
    await records.put('snapshots', snapshotKey(id), snapshotRecord.encode(next))
    const ended = { ...report, runId: id, startedAt: createdAt, snapshot: id }
    await records.put('control', reportKey(id), reportRecord.encode(ended))
  }
  await engine.close()
}

async function timed(engine: BackupEngine): Promise<number> {
  const start = performance.now()
  const { snapshots } = await engine.stats({ timeZone: 'Europe/Berlin' })
  if (snapshots !== SNAPSHOTS) throw new Error(`${snapshots} snapshots were counted`)
  return performance.now() - start
}

try {
  await fill()
  const engine = await open()
  const first = await timed(engine)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) times.push(await timed(engine))
  await engine.close()
  const worst = Math.max(...times).toFixed(0)
  process.stdout.write(
    `just opened: ${first.toFixed(0)} ms\nrecords in memory: median ${median(times).toFixed(0)} ms, worst ${worst} ms\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
