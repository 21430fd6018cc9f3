/**
 * Backs up a folder with brotli in place of zstd, and restores it:
 *
 *   BACKUP_PASSPHRASE=… node examples/custom-transform.ts FOLDER REPOSITORY NEW_FOLDER
 */
import { BackupEngine, filesystem, localTarget, passphrase } from 'holdfast'
import { brotli } from './brotli.ts'

const [path = '.', repository = 'backups', folder = 'restored'] = process.argv.slice(2)

await using engine = await BackupEngine.open({
  target: localTarget(repository),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [filesystem({ name: 'data', path })],
  // Whoever opens this repository has to name it too. Encryption follows from the key and need not be listed.
  transforms: [brotli({ quality: 7 })],
})
const { counts, warnings } = await engine.backup()
console.log(`${counts.newBytes} bytes became ${counts.storedBytes}, with ${warnings.length} warnings`)

const plan = await engine.planRestore({ snapshot: 'latest', to: { folder } })
const { totals } = await engine.restore(plan)
console.log(`${totals.create.count} entries restored`)
