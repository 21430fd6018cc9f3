/**
 * Erases what must not be kept any longer from every snapshot, after a person has seen what that means:
 *
 *   BACKUP_PASSPHRASE=… node examples/erase.ts plan REPOSITORY PLAN.json 'data/people/4711'     shows it
 *   BACKUP_PASSPHRASE=… node examples/erase.ts erase REPOSITORY PLAN.json DIGEST                does it
 *
 * Delete it from the live files first, or the next backup has it again. What else may hold a copy: docs/erase.md.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { BackupEngine, BackupError, type ErasePlan, localTarget, passphrase } from 'holdfast'

const [verb = 'plan', repository = 'backups', file = 'plan.json', given = ''] = process.argv.slice(2)

function show(plan: ErasePlan): void {
  console.log(`${plan.entries} entries (${plan.bytes} bytes) in ${plan.snapshots.length} snapshots:`)
  for (const each of plan.paths) console.log(`  ${each}`)
  for (const { path, bytes } of plan.shared) console.log(`Stays: ${path} has ${bytes} bytes of the same content`)
  console.log(`Digest: ${plan.digest}`)
}

async function erase(engine: BackupEngine, plan: ErasePlan, confirm: string): Promise<void> {
  const { erased, prune } = await engine.erase(plan, { confirm, actor: 'data protection' })
  // Only this frees the bytes. It waits for backups that are under way.
  const freeing = await engine.planPrune(prune)
  const { state, freedBytes } = await engine.prune(freeing, { confirm: freeing.digest })
  console.log(`${erased.length} snapshots rewritten, ${freedBytes} bytes freed: ${state}`)
}

try {
  await using engine = await BackupEngine.open({
    target: localTarget(repository),
    key: passphrase(process.env.BACKUP_PASSPHRASE),
    create: 'never',
  })
  if (verb === 'plan') {
    const plan = await engine.planErase({ paths: [given] })
    await writeFile(file, JSON.stringify(plan))
    show(plan)
  } else {
    await erase(engine, JSON.parse(await readFile(file, 'utf8')) as ErasePlan, given)
    // It lists the paths.
    await rm(file)
  }
} catch (error) {
  if (!BackupError.is(error)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
