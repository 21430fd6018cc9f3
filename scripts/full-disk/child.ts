/** One backup, or one restore, in a process of its own, until it is done or killed. Its orders come as JSON. */
import { appendFileSync } from 'node:fs'
import { type Target, wrapTarget } from '../../src/index.ts'
import { type Place, targetOf } from '../soak/settings.ts'
import { openOn, restoreTo } from './scene.ts'

export interface Orders {
  readonly what: 'backup' | 'restore'
  readonly place: Place
  readonly tree: string
  /** Folder of a restore, and the snapshot. */
  readonly to: string
  readonly snapshot: string
  /** A line for each pack: the bytes that were sent. */
  readonly journal: string
}

function watched(inner: Target, journal: string): Target {
  return wrapTarget(inner, {
    put: async (key, body, options) => {
      if (key.startsWith('packs/')) appendFileSync(journal, `${body.byteLength}\n`)
      return await inner.put(key, body, options)
    },
  })
}

const orders = JSON.parse(process.argv[2]!) as Orders
const engine = await openOn(watched(targetOf(orders.place), orders.journal), orders.tree)
process.stdout.write('begun\n')
if (orders.what === 'backup') await engine.backup()
else await restoreTo(engine, orders.snapshot, orders.to)
process.stdout.write('done\n')
await engine.close()
