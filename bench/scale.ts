/**
 * What the largest things cost: `npm run bench:scale -- [--only million,index,diff,snapshots,large] [--dir FOLDER]
 * [--files N] [--chunks N] [--entries N] [--snapshots N] [--bytes N] [--sparse-bytes N] [--prepare | --keep]`.
 * Each figure is that of a process of its own, with the built package (BENCH_DIST names the folder of another build than
 * ./dist). `--prepare` makes what is measured, and leaves it; `--keep` takes it from there, and leaves it as well.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { positive } from './data.ts'
import { describeMachine, ensureBuilt } from './machine.ts'
import { diff } from './scale/diff.ts'
import { chunkIndex } from './scale/index.ts'
import { large } from './scale/large.ts'
import { million } from './scale/million.ts'
import { snapshots } from './scale/snapshots.ts'
import { type Figure, type Part, rowOf } from './scale/step.ts'
import { describeCpu, table } from './table.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'million,index,diff,snapshots,large' },
    dir: { type: 'string', default: '.bench' },
    files: { type: 'string', default: '1e6' },
    chunks: { type: 'string', default: '1e7' },
    entries: { type: 'string', default: '1e7' },
    snapshots: { type: 'string', default: '1e4' },
    bytes: { type: 'string', default: '1e10' },
    'sparse-bytes': { type: 'string', default: '1e11' },
    prepare: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})

const PARTS: Readonly<Record<string, Part>> = {
  million: million(positive('files', values.files)),
  index: chunkIndex(positive('chunks', values.chunks)),
  diff: diff(positive('entries', values.entries)),
  snapshots: snapshots(positive('snapshots', values.snapshots)),
  large: large(positive('bytes', values.bytes), positive('sparse-bytes', values['sparse-bytes'])),
}

async function runPart(part: Part, folder: string): Promise<Figure[]> {
  const isThere = values.keep && existsSync(folder)
  try {
    if (!isThere) {
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder, { recursive: true })
      await part.prepare(folder)
    }
    return values.prepare ? [] : await part.measure(folder)
  } finally {
    if (!values.keep && !values.prepare) rmSync(folder, { recursive: true, force: true })
  }
}

const machine = await describeMachine('.')
if (!process.env.BENCH_DIST) ensureBuilt()
const figures: Figure[] = []
for (const name of values.only.split(',')) {
  const part = PARTS[name]
  if (!part) throw new Error(`--only takes ${Object.keys(PARTS).join(', ')}: ${name}`)
  figures.push(...(await runPart(part, join(resolve(values.dir), `scale-${name}`))))
}
if (figures.length > 0) {
  console.log(`- Machine: ${describeCpu(machine)}\n`)
  console.log(table(['', 'took', 'peak memory', 'goal', ''], figures.map(rowOf)))
}
