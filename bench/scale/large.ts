/** One very large file, real, beside restic, and one that is nearly all hole. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { requireSpace } from '../machine.ts'
import { resticPeer } from '../peers/restic.ts'
import { median } from '../statistics.ts'
import { command, type Done, type Figure, msOf, type Part, step } from './step.ts'

type Measured = Pick<Done, 'wallMs' | 'peakBytes'>

const BLOCK = 1024 * 1024
/** Of a sparse file: so many islands of one block, far apart. */
const ISLANDS = 100
const RATIO = 2
const ROUNDS = 3

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
  const peer = (): Promise<Measured> => command(resticPeer.restore(peerPlace(folder), restored))
  const own = async (): Promise<Measured> => {
    const done = await step('restore', join(folder, 'repository'), restored)
    if (statSync(join(restored, 'data', 'file')).size !== bytes) throw new Error('not all of it was restored')
    return done
  }
  const pairs: { theirs: Measured; ours: Measured }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const measured = new Map<() => Promise<Measured>, Measured>()
    // Who comes second finds the machine busy with what the first has left to be written: each in its turn.
    for (const restore of round % 2 === 0 ? [peer, own] : [own, peer]) {
      measured.set(restore, await restore())
      rmSync(restored, { recursive: true })
      execFileSync('sync')
    }
    pairs.push({ theirs: measured.get(peer)!, ours: measured.get(own)! })
  }
  const ratio = median(pairs.map(({ theirs, ours }) => theirs.wallMs / ours.wallMs))
  const [theirs, ours] = [pairs.map((each) => each.theirs), pairs.map((each) => each.ours)]
  const size = `${bytes / 1e9} GB file`
  return [
    { what: `${size}: restore by restic`, ms: medianMs(theirs), peakBytes: peakOf(theirs) },
    {
      what: `${size}: restore, ${ratio.toFixed(2)} × restic's speed`,
      ms: medianMs(ours),
      peakBytes: peakOf(ours),
      goal: { text: `${RATIO} × restic` },
      isMet: ratio >= RATIO,
    },
  ]
}

function medianMs(runs: readonly Measured[]): number {
  return median(runs.map(({ wallMs }) => wallMs))
}

function peakOf(runs: readonly Measured[]): number {
  return Math.max(...runs.map(({ peakBytes }) => peakBytes ?? 0))
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
