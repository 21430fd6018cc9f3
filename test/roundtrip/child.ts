/** A process that backs up a folder into a local repository. Arguments: repository, source. Writes the snapshot's id. */
import { BackupEngine, filesystem, localTarget, rawKey, workerPool } from '../../src/index.ts'

const [repository, source] = process.argv.slice(2) as [string, string]
const pool = workerPool({ threads: 1 })
const engine = await BackupEngine.open({
  target: localTarget(repository, { fsync: false }),
  key: rawKey(new Uint8Array(32).fill(7)),
  workers: pool,
  sources: [filesystem({ name: 'data', path: source })],
})
const { snapshot } = await engine.backup()
await engine.close()
await pool.close()
process.stdout.write(snapshot.id)
