/**
 * `npm run fuzz [-- --inputs 10000] [--seed 1] [--only NAME]`: gives every decoder random and mutated bytes, and writes the table of
 * docs/reliability.md. It fails at a crash, a hang, an error without a type, or memory beyond limits.
 */
import { parseArgs } from 'node:util'
import { table } from '../bench/table.ts'
import { allDecoders } from '../test/model/fuzz/all.ts'
import { fuzz, type Tally } from '../test/model/fuzz/run.ts'
import { writeReport } from './soak/report.ts'

const HEAD = ['Decoder', 'inputs', 'taken', 'refused', 'slowest', 'most memory by one']

function rowOf({ name, inputs, taken, refused, slowestMs, mostBytes }: Tally): string[] {
  const memory = mostBytes < 1024 ? 'below 1 KiB' : `${Math.ceil(mostBytes / 1024)} KiB`
  return [name, String(inputs), String(taken), String(refused), `${Math.ceil(slowestMs)} ms`, memory]
}

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})
const rows: string[][] = []
for (const decoder of await allDecoders()) {
  if (values.only !== undefined && decoder.name !== values.only) continue
  rows.push(rowOf(await fuzz(decoder, Number(values.inputs), Number(values.seed))))
  console.log(rows.at(-1)?.join('  '))
}
const made = `Seed ${values.seed}. ${new Date().toISOString().slice(0, 10)}, Node ${process.version}.`
if (values.only === undefined) writeReport('fuzz', `${made}\n\n${table(HEAD, rows)}`)
