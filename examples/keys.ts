/**
 * Who can open the backups: keys for people, a sheet of paper for the worst day, and new secrets when somebody leaves.
 *
 *   BACKUP_PASSPHRASE=… node examples/keys.ts REPOSITORY list
 *   BACKUP_PASSPHRASE=… NEW_PASSPHRASE=… node examples/keys.ts REPOSITORY add LABEL
 *   BACKUP_PASSPHRASE=… node examples/keys.ts REPOSITORY leave LABEL       takes a key away, and rotates
 *   BACKUP_PASSPHRASE=… node examples/keys.ts REPOSITORY sheet | lp        prints a recovery sheet
 *   RECOVERY_KEY='…' node examples/keys.ts REPOSITORY list                 opens with what is on the sheet
 */
import { BackupEngine, BackupError, localTarget, passphrase, rawKey } from 'holdfast'

const [repository = 'backups', verb = 'list', label = ''] = process.argv.slice(2)
const { BACKUP_PASSPHRASE, NEW_PASSPHRASE, RECOVERY_KEY } = process.env

async function list(engine: BackupEngine): Promise<void> {
  for (const { id, kind, label, createdAt, current } of await engine.keys.list())
    console.log(id, kind, createdAt.toISOString(), label, current ? '(this one)' : '')
  for (const { code, message } of await engine.keys.verify()) console.error(code, message)
}

/** Removing alone is not enough: whoever had a key may have kept what it gave. New data is safe from them after this. */
async function leave(engine: BackupEngine): Promise<void> {
  for (const { id } of (await engine.keys.list()).filter((slot) => slot.label === label)) await engine.keys.remove(id)
  const { generation, slots } = await engine.keys.rotate()
  console.log(`Generation ${generation}, for: ${slots.map((slot) => slot.label).join(', ')}`)
}

try {
  await using engine = await BackupEngine.open({
    target: localTarget(repository),
    key: RECOVERY_KEY === undefined ? passphrase(BACKUP_PASSPHRASE) : rawKey(RECOVERY_KEY),
    create: 'never',
  })
  if (verb === 'add') await engine.keys.add(passphrase(NEW_PASSPHRASE), { label })
  else if (verb === 'leave') await leave(engine)
  else if (verb === 'sheet') console.log(await engine.keys.recoverySheet())
  else await list(engine)
} catch (error) {
  if (!BackupError.is(error)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
