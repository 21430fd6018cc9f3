/** What TypeScript refuses. Nothing here runs: `npm run typecheck` is the test, since an expected error that is none is one. */

import type { ErasePlan, ForgetPlan, PrunePlan, RepairPlan, RestorePlan, Source, Target } from 'holdfast'
import { BackupEngine, BackupError, filesystem, type Key, localTarget, passphrase, type Retention } from 'holdfast'
import { postgres } from 'holdfast/postgres'
import { s3Target } from 'holdfast/s3'
import { faultyTarget, memorySource } from 'holdfast/testing'

declare const engine: BackupEngine
declare const target: Target
declare const source: Source
declare const key: Key

export async function opening(): Promise<void> {
  // @ts-expect-error a key is never left out: unencrypted is 'none', said aloud
  await BackupEngine.open({ target })
  // @ts-expect-error nor may it be undefined
  await BackupEngine.open({ target, key: undefined })
  // @ts-expect-error a secret as plain text
  await BackupEngine.open({ target, key: 'hunter2' })
  // @ts-expect-error no target
  await BackupEngine.open({ key })
  // @ts-expect-error a target is an object, not its path
  await BackupEngine.open({ target: './backups', key })
  // @ts-expect-error an option of a verb
  await BackupEngine.open({ target, key, tags: ['nightly'] })
  // @ts-expect-error one source instead of a list
  await BackupEngine.open({ target, key, sources: filesystem({ name: 'a', path: '.' }) })
  // @ts-expect-error a target is no source
  await BackupEngine.open({ target, key, sources: [localTarget('.')] })
  // @ts-expect-error 'always' is no way to create
  await BackupEngine.open({ target, key, create: 'always' })
  // @ts-expect-error engines are opened, not made
  new BackupEngine()
  // @ts-expect-error a passphrase is text
  passphrase(12345)
}

export function adapters(): void {
  // @ts-expect-error no name
  filesystem({ path: '.' })
  // @ts-expect-error a list
  filesystem({ name: 'a', path: '.', exclude: '**/*.tmp' })
  // @ts-expect-error no name
  postgres({ connectionString: 'postgres://localhost/shop' })
  // @ts-expect-error no bucket
  s3Target({ prefix: 'shop' })
  // @ts-expect-error there is no such fault
  faultyTarget(target, [{ operation: 'put', nth: 1, fault: 'gremlins' }])
  // @ts-expect-error by path, not a list
  memorySource({ name: 'm', files: ['a.txt'] })
}

export async function verbs(): Promise<void> {
  // @ts-expect-error it is `tags`
  await engine.backup({ tag: 'nightly' })
  // @ts-expect-error 'ignore' is no way to go on
  await engine.backup({ onEntryError: 'ignore' })
  // @ts-expect-error labels are text
  await engine.backup({ labels: { build: 12 } })
  // @ts-expect-error no snapshot
  await engine.entries({ path: 'uploads' }).toArray()
  // @ts-expect-error no path
  await engine.read({ snapshot: 'latest' })
  // @ts-expect-error nothing to compare with
  await engine.diff({ head: 'latest' })
  // @ts-expect-error only the newer side can be live
  await engine.diff({ base: 'latest', head: { live: true } })
  // @ts-expect-error there is no default destination
  await engine.planRestore({ snapshot: 'latest' })
  // @ts-expect-error a level that does not exist
  await engine.verify({ level: 'everything' })
  // @ts-expect-error a date, not text
  await engine.snapshots({ after: '2026-01-01' }).toArray()
  // @ts-expect-error nothing to erase
  await engine.planErase({})
  // @ts-expect-error no destination
  await engine.exportZip({ snapshot: 'latest' })
  // @ts-expect-error the secret of a ZIP is made by passphrase()
  await engine.exportZip({ snapshot: 'latest', to: { path: 'a.zip' }, encrypt: 'hunter2' })
  // @ts-expect-error every key has a label
  await engine.keys.add(key)
  // @ts-expect-error no such bucket of time
  await engine.stats({ buckets: 'year' })
  // @ts-expect-error a source is no name of one
  await engine.planErase({ paths: ['a'], sources: [source] })
}

export function retention(): Retention[] {
  return [
    // @ts-expect-error 'x' is no unit
    { keepWithin: '30x' },
    // @ts-expect-error it is keepDaily
    { daily: 7 },
    // @ts-expect-error nothing to group by
    { keepLast: 1, groupBy: ['colour'] },
  ]
}

/** Each plan goes into its own verb only, and no plan may be changed. */
export async function plans(
  restore: RestorePlan,
  forget: ForgetPlan,
  prune: PrunePlan,
  erase: ErasePlan,
  repair: RepairPlan,
): Promise<void> {
  // @ts-expect-error a plan to forget
  await engine.restore(forget)
  // @ts-expect-error a plan to prune
  await engine.forget(prune)
  // @ts-expect-error a plan to forget
  await engine.prune(forget)
  // @ts-expect-error a plan to erase
  await engine.prune(erase)
  // @ts-expect-error a plan to repair
  await engine.erase(repair)
  // @ts-expect-error a plan to restore
  await engine.repair(restore)
  // @ts-expect-error the options of the plan
  await engine.restore({ snapshot: 'latest', to: { folder: 'x' } })
  // @ts-expect-error the digest, not consent
  await engine.forget(forget, { confirm: true })
  // @ts-expect-error a plan is not changed
  prune.request.minDeadShare = 1
}

export function events(error: unknown): void {
  // @ts-expect-error there is no such event
  engine.on('backup:done', () => {})
  // @ts-expect-error looking is no run with events
  engine.on('diff:complete', () => {})
  // @ts-expect-error progress has no result
  engine.on('backup:progress', ({ result }) => result)
  // @ts-expect-error an unknown error has no code
  error.code
  // @ts-expect-error there is no such code
  if (BackupError.is(error) && error.code === 'DISK_FULL') return
}
