/**
 * Backs up one folder, and shows how far it is:
 *
 *   BACKUP_PASSPHRASE=… node examples/backup-folder.ts FOLDER REPOSITORY
 */
import { BackupEngine, BackupError, filesystem, localTarget, passphrase } from 'holdfast'

const [path, repository] = process.argv.slice(2)
if (path === undefined || repository === undefined) {
  console.error('node examples/backup-folder.ts FOLDER REPOSITORY')
  process.exit(2)
}

// Ctrl-C ends the run cleanly: what is uploaded stays and is used by the next one.
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

try {
  await using engine = await BackupEngine.open({
    target: localTarget(repository),
    key: passphrase(process.env.BACKUP_PASSPHRASE),
    sources: [filesystem({ name: 'data', path, exclude: ['**/*.tmp'] })],
  })
  const { snapshot, counts, warnings, durationMs } = await engine.backup({
    // One unreadable file is no reason to have no backup; the snapshot then says `complete: false`.
    onEntryError: 'skip',
    signal: stop.signal,
    onProgress: ({ percent, currentPath }) => console.error(`${percent?.toFixed(0) ?? '?'} %  ${currentPath ?? ''}`),
  })
  for (const { code, path, message } of warnings) console.error(code, path ?? '', message)
  console.log(`${snapshot.id}: ${counts.entries} entries, ${counts.storedBytes} bytes stored, ${durationMs} ms`)
} catch (error) {
  if (!BackupError.is(error)) throw error
  console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`)
  process.exitCode = 1
}
