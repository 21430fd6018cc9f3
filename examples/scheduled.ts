/**
 * Backups by a plain timer: one every so many minutes, old ones forgotten and freed, all of it proved now and then.
 *
 *   BACKUP_PASSPHRASE=… node examples/scheduled.ts FOLDER REPOSITORY [MINUTES]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { BackupEngine, BackupError, filesystem, localTarget, passphrase } from 'holdfast'

const [path = '.', repository = 'backups', minutes = '60'] = process.argv.slice(2)
const everyMs = Number(minutes) * 60_000
const PROVE_EVERY = 24

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

await using engine = await BackupEngine.open({
  target: localTarget(repository),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [filesystem({ name: 'data', path })],
  retention: { keepLast: 24, keepDaily: 14, keepWeekly: 8, keepMonthly: 12 },
  defaults: { onEntryError: 'skip', stallMs: 600_000 },
})
const call = { actor: 'timer', signal: stop.signal }

async function round(count: number): Promise<void> {
  const { snapshot, warnings } = await engine.backup(call)
  const old = await engine.planForget(call)
  const { forgotten } = await engine.forget(old, { ...call, confirm: old.digest })
  const garbage = await engine.planPrune(call)
  await engine.prune(garbage, { ...call, confirm: garbage.digest })
  console.log(`${snapshot.id}: ${warnings.length} warnings, ${forgotten.length} forgotten`)
  if (count % PROVE_EVERY > 0) return
  // An hour at most; what was not proved for the longest time comes first.
  const { sound, findings } = await engine.verify({ ...call, level: 'data', budget: { ms: 3_600_000 } })
  console.log(sound ? 'proved sound' : JSON.stringify(findings))
}

// The next one begins when its time has come and the last one is over, so there are never two.
for (let count = 0; !stop.signal.aborted; count++) {
  const next = Date.now() + everyMs
  await round(count).catch((error: unknown) => {
    if (!BackupError.is(error)) throw error
    // Tell somebody here. The next round goes on with what this one has uploaded.
    if (error.code !== 'ABORTED') console.error(`${error.code}: ${error.message}`)
  })
  await sleep(Math.max(0, next - Date.now()), undefined, { signal: stop.signal }).catch(() => {})
}
