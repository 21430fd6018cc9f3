/** One very large file, real, beside restic, and one that is nearly all hole. */
import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { requireSpace } from '../machine.ts'
import { resticPeer } from '../peers/restic.ts'
import { command, type Figure, msOf, type Part, step } from './step.ts'

const BLOCK = 1024 * 1024
/** Of a sparse file: so many islands of one block, far apart. */
const ISLANDS = 100
const RATIO = 2

export function large(bytes: number, sparseBytes: number): Part {
  return {
    prepare: async (folder) => {
      await requireSpace(folder, bytes * 3)
      mkdirSync(join(folder, 'data'))
      writeReal(join(folder, 'data', 'file'), bytes)
      await step('backup', join(folder, 'repository'), join(folder, 'data'))
      await command(resticPeer.init(peerPlace(folder)))
      await command(resticPeer.backup(peerPlace(folder), join(folder, 'data')))
      // There may be no room for it beside what is restored.
      rmSync(join(folder, 'data'), { recursive: true })
    },
    measure: async (folder) => [...(await restoreReal(folder, bytes)), ...(await sparse(folder, sparseBytes))],
  }
}

function peerPlace(folder: string): { repository: string; scratch: string } {
  return { repository: join(folder, 'restic'), scratch: join(folder, 'restic-scratch') }
}

/** Half of every block is random, the other half text that compresses. */
function writeReal(path: string, bytes: number): void {
  const file = openSync(path, 'wx')
  const block = Buffer.alloc(BLOCK)
  for (let at = 0; at < bytes; at += BLOCK) {
    block.fill(`row ${at}; `)
    randomBytes(BLOCK / 2).copy(block)
    writeSync(file, block, 0, Math.min(BLOCK, bytes - at), at)
  }
  closeSync(file)
}

async function restoreReal(folder: string, bytes: number): Promise<Figure[]> {
  const restored = join(folder, 'restored')
  const theirs = await command(resticPeer.restore(peerPlace(folder), restored))
  rmSync(restored, { recursive: true })
  const ours = await step('restore', join(folder, 'repository'), restored)
  if (statSync(join(restored, 'data', 'file')).size !== bytes) throw new Error('not all of it was restored')
  rmSync(restored, { recursive: true })
  const ratio = theirs.wallMs / ours.wallMs
  const size = `${bytes / 1e9} GB file`
  return [
    { what: `${size}: restore by restic`, ms: theirs.wallMs, peakBytes: theirs.peakBytes },
    {
      what: `${size}: restore, ${ratio.toFixed(2)} × restic's speed`,
      ms: ours.wallMs,
      peakBytes: ours.peakBytes,
      goal: { text: `${RATIO} × restic` },
      isMet: ratio >= RATIO,
    },
  ]
}

async function sparse(folder: string, bytes: number): Promise<Figure[]> {
  const [data, repository, restored] = ['sparse', 'sparse-repository', 'sparse-restored'].map((name) =>
    join(folder, name),
  )
  mkdirSync(data!)
  const file = openSync(join(data!, 'file'), 'wx')
  ftruncateSync(file, bytes)
  const apart = Math.floor(bytes / ISLANDS / BLOCK) * BLOCK
  for (let n = 0; n < ISLANDS; n++) writeSync(file, randomBytes(BLOCK), 0, BLOCK, n * apart)
  closeSync(file)
  const stored = await step('backup', repository!, data!)
  const back = await step('restore', repository!, restored!)
  const { size, blocks } = statSync(join(restored!, 'data', 'file'))
  if (size !== bytes || blocks * 512 > ISLANDS * BLOCK * 2)
    throw new Error(`restored as ${size} bytes, ${blocks} blocks`)
  for (const path of [data!, repository!, restored!]) rmSync(path, { recursive: true })
  const what = `${bytes / 1e9} GB sparse file, ${(ISLANDS * BLOCK) / 1e6} MB of it data`
  return [
    { what: `${what}: backup`, ms: msOf(stored, 'backup'), peakBytes: stored.peakBytes },
    { what: `${what}: restore`, ms: msOf(back, 'restore'), peakBytes: back.peakBytes },
  ]
}
