/**
 * Rehearses the day on which the disk is damaged, on a copy: a pack is lost, found missing, and brought back from a mirror.
 * Repository and mirror are only read.
 *
 *   BACKUP_PASSPHRASE=… node examples/repair-drill.ts REPOSITORY [MIRROR]
 */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupEngine, localTarget, passphrase, readOnly } from 'holdfast'

const [repository = 'backups', mirror = repository] = process.argv.slice(2)
const copy = await mkdtemp(join(tmpdir(), 'repair-drill-'))

async function losePack(): Promise<string> {
  const files = await readdir(join(copy, 'packs'), { recursive: true, withFileTypes: true })
  const pack = files.find((each) => each.isFile())
  if (pack === undefined) throw new Error(`${repository} has no packs yet`)
  await rm(join(pack.parentPath, pack.name))
  return pack.name
}

try {
  await cp(repository, copy, { recursive: true })
  console.log('Lost:', await losePack())
  await using engine = await BackupEngine.open({
    target: localTarget(copy),
    key: passphrase(process.env.BACKUP_PASSPHRASE),
    create: 'never',
  })
  // With `sources`, content that is in no mirror is looked for in the live files.
  const mirrors = [readOnly(localTarget(mirror))]
  const plan = await engine.planRepair({ mirrors })
  for (const { severity, code, message } of plan.findings) console.log(severity, code, message)
  console.log(`Lost for good: ${plan.losses.total.entries} entries, ${plan.losses.total.bytes} bytes`)
  const { copied, saved } = await engine.repair(plan, { mirrors })
  console.log(`Saved: ${copied} objects, ${saved.chunks} chunks`)
  const { sound } = await engine.verify({ level: 'data' })
  console.log(sound ? 'The copy is sound again' : 'The copy is still damaged')
  if (!sound) process.exitCode = 1
} finally {
  await rm(copy, { recursive: true, force: true })
}
