/** Every decoder, given anything; `npm run fuzz` gives each of them ten thousand inputs. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { allDecoders } from './fuzz/all.ts'
import { fuzz } from './fuzz/run.ts'

const decoders = await allDecoders()
const PAGE = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8')

describe('decoders', () => {
  it.each(decoders.map((decoder) => [decoder.name, decoder] as const))('%s', async (_, decoder) => {
    // Another seed than that of the script, so that both together say more.
    const { inputs, taken, refused } = await fuzz(decoder, 300, 2)
    expect([inputs, taken + refused]).toEqual([300, 300])
  })

  it('are all in docs/reliability.md, with ten thousand inputs each', () => {
    const table = PAGE.slice(PAGE.indexOf('<!-- fuzz -->'), PAGE.indexOf('<!-- end of fuzz -->'))
    const rows = table.matchAll(/^\| (.+?) +\| (\d+) +\|/gm)
    expect([...rows].map(([, name, inputs]) => [name, inputs])).toEqual(decoders.map(({ name }) => [name, '10000']))
  })

  it('are caught when they throw an error of no type', async () => {
    const broken = { name: 'broken', samples: [], decode: (bytes: Uint8Array) => bytes[500]!.toString() }
    await expect(fuzz(broken, 10)).rejects.toThrow('broken: ')
  })

  it('are caught when they take too much memory', async () => {
    const greedy = { name: 'greedy', samples: [], decode: () => new Uint8Array(2 ** 25) }
    await expect(fuzz(greedy, 1)).rejects.toMatchObject({ cause: { message: expect.stringContaining('bytes') } })
  })
})
