/**
 * `npm run corruption [-- --class 'config,key slot']`: damages every class of object in every way, lets every verb look at it, and
 * writes the table of docs/reliability.md. It fails where anything was silent, wrong, untyped or hung.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { faultsOf, type Matrix, rowOf, surroundings, type Wrong } from '../test/faults/corruption/matrix.ts'
import { CLASSES, type ObjectClass } from '../test/faults/corruption/places.ts'
import { KEPT, type KeptMatrix, matrixText, readKept } from '../test/faults/corruption/table.ts'
import { writeReport } from './soak/report.ts'

const { values } = parseArgs({ options: { class: { type: 'string' } } })
const classes = CLASSES.filter((cls) => values.class === undefined || values.class.split(',').includes(cls))
const wrong: Wrong[] = []
const kept: KeptMatrix = existsSync(KEPT) ? readKept() : { looks: {}, made: '', matrix: {} }
const around = await surroundings()
for (const cls of classes) Object.assign(kept.matrix, { [cls]: await rowsOf(cls) })
for (const { place, way, error } of wrong) console.error(`WRONG: ${place.cls}, ${place.key}, ${way}:`, error)
if (wrong.length > 0) process.exitCode = 1
else {
  kept.made = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}`
  writeFileSync(KEPT, `${JSON.stringify(kept, null, 2)}\n`)
  // A part of the table is no table.
  if (CLASSES.every((cls) => kept.matrix[cls])) writeReport('corruption', matrixText(kept))
}

async function rowsOf(cls: ObjectClass): Promise<Matrix[ObjectClass]> {
  const rows: NonNullable<Matrix[ObjectClass]> = {}
  kept.looks[cls] = 0
  for (const fault of faultsOf([cls])) {
    const { row, looks } = await rowOf(around, fault, { wrong })
    if (looks === 0) continue
    rows[fault.damage] = row
    kept.looks[cls] += looks
  }
  console.log(`${cls}: ${kept.looks[cls]}`)
  return rows
}
