/** A backup and a restore of what a test has made. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BackupEngine, filesystem, memoryTarget, type PlanRestoreOptions } from '../../src/index.ts'
import { expectSound, KEY } from '../faults/support.ts'

/** Backs up `source` in the folder, restores all or a part to `to`, and gives where that is. */
export async function roundTrip(
  path: string,
  options: Partial<PlanRestoreOptions> & { threads?: boolean; exclude?: string[] } = {},
): Promise<string> {
  const { threads = false, exclude, ...more } = options
  const engine = await BackupEngine.open({
    target: memoryTarget(),
    key: KEY,
    sources: [filesystem({ name: 'data', path: join(path, 'source'), ...(exclude && { exclude }) })],
    ...(!threads && { workers: 'inline' as const }),
  })
  await engine.backup()
  const plan = await engine.planRestore({ snapshot: 'latest', to: { folder: join(path, 'to') }, ...more })
  await engine.restore(plan, { verify: threads })
  await expectSound(engine)
  await engine.close()
  return join(path, 'to', 'data')
}

/** Names may be any bytes. */
export function rawPath(folder: string, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)])
}

export function putFile(path: Buffer, content: string | Uint8Array = 'content', mode = 0o644): void {
  writeFileSync(path, content)
  chmodSync(path, mode)
}
