/**
 * The newest snapshot as one encrypted file for somebody else, which `age -d` opens too, and back into a repository.
 *
 *   BACKUP_PASSPHRASE=… ZIP_PASSPHRASE=… node examples/encrypted-zip.ts export REPOSITORY FILE.zip.age
 *   BACKUP_PASSPHRASE=… ZIP_PASSPHRASE=… node examples/encrypted-zip.ts import REPOSITORY FILE.zip.age
 *
 *   age -d FILE.zip.age > FILE.zip
 */
import { BackupEngine, BackupError, localTarget, passphrase } from 'holdfast'

const [verb = 'export', repository = 'backups', path = 'backup.zip.age'] = process.argv.slice(2)

try {
  await using engine = await BackupEngine.open({
    target: localTarget(repository),
    key: passphrase(process.env.BACKUP_PASSPHRASE),
    create: verb === 'import' ? 'if-empty' : 'never',
  })
  const secret = passphrase(process.env.ZIP_PASSPHRASE)
  if (verb === 'import') {
    const { snapshot, counts } = await engine.importZip({ from: { path }, key: secret })
    console.log(`${snapshot.id}: ${counts.entries} entries, made at ${snapshot.createdAt.toISOString()}`)
  } else {
    const { entries, bytes, sha256 } = await engine.exportZip({ snapshot: 'latest', to: { path }, encrypt: secret })
    console.log(`${entries} entries, ${bytes} bytes, SHA-256 ${sha256}`)
  }
} catch (error) {
  if (!BackupError.is(error)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
