import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { copySnapshots, memoryTarget } from '../../../src/index.ts'
import { openOn, scratch } from '../../faults/support.ts'

const MIB = 1024 * 1024
const folder = scratch()

it('a copy keeps which files are sparse', async () => {
  mkdirSync(folder.at('tree'), { recursive: true })
  writeFileSync(folder.at('tree/dense'), Buffer.alloc(MIB))
  writeFileSync(folder.at('tree/sparse'), 'x')
  truncateSync(folder.at('tree/sparse'), MIB)
  const from = await openOn(memoryTarget(), folder.at('tree'))
  const to = await openOn(memoryTarget(), folder.at('tree'))
  await from.backup()
  await copySnapshots({ from, to })
  await to.restore(await to.planRestore({ snapshot: 'latest', to: { folder: folder.at('back') } }))
  await Promise.all([from.close(), to.close()])
  const kibOf = (name: string): number => statSync(folder.at('back/data', name)).blocks / 2
  expect(kibOf('dense')).toBeGreaterThanOrEqual(1024)
  expect(kibOf('sparse')).toBeLessThan(64)
})
