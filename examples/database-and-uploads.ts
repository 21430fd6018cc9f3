/**
 * A database and the files that its rows name, in one snapshot, and both put back together:
 *
 *   BACKUP_PASSPHRASE=… DATABASE_URL=… node examples/database-and-uploads.ts backup|drill|restore UPLOADS REPOSITORY
 */
import { BackupEngine, BackupError, filesystem, folder, localTarget, passphrase } from 'holdfast'
import { postgres, postgresSink } from 'holdfast/postgres'

const [verb, path, repository] = process.argv.slice(2)
const connectionString = process.env.DATABASE_URL
if (verb === undefined || path === undefined || repository === undefined || connectionString === undefined) {
  console.error('DATABASE_URL=… node examples/database-and-uploads.ts backup|drill|restore UPLOADS REPOSITORY')
  process.exit(2)
}

const engine = await BackupEngine.open({
  target: localTarget(repository),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [postgres({ name: 'database', connectionString }), filesystem({ name: 'uploads', path })],
})

async function backup(): Promise<void> {
  // Both are opened before either is read. An application that writes the file first and the row after it never has a row
  // in the snapshot whose file is missing.
  const { snapshot, counts, warnings } = await engine.backup()
  for (const { code, message } of warnings) console.error(code, message)
  console.log(`${snapshot.id}: ${counts.entries} entries, ${counts.storedBytes} bytes stored`)
}

/** A restore that is proved, timed and taken away again: nothing live is touched. */
async function drill(): Promise<void> {
  const { sound, toText } = await engine.drill({ sinks: { database: postgresSink({ connectionString }) } })
  console.log(toText())
  if (!sound) process.exitCode = 1
}

async function restore(uploads: string): Promise<void> {
  const plan = await engine.planRestore({
    snapshot: 'latest',
    // Both are written beside what is live and checked; then they are exchanged, the one right after the other.
    to: { sinks: { database: postgresSink({ connectionString }), uploads: folder({ path: uploads }) } },
  })
  for (const { code, message } of plan.warnings) console.error(code, message)
  // A person would be shown `plan.changes` first, and send the digest back.
  const { places } = await engine.restore(plan, { confirm: plan.digest })
  console.log(JSON.stringify(places))
}

try {
  if (verb === 'backup') await backup()
  else if (verb === 'drill') await drill()
  else await restore(path)
} catch (error) {
  if (!BackupError.is(error)) throw error
  console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`)
  process.exitCode = 1
} finally {
  await engine.close()
}
