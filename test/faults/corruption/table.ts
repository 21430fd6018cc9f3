/** The matrix as docs/reliability.md has it, and as it is kept beside this file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { table } from '../../../bench/table.ts'
import { DAMAGES } from './damages.ts'
import { COLUMNS } from './look.ts'
import type { Matrix, Row } from './matrix.ts'
import { CLASSES } from './places.ts'

export const KEPT = join(import.meta.dirname, 'matrix.json')

export interface KeptMatrix {
  /** How many damaged repositories were looked at, by class. */
  looks: Record<string, number>
  /** Day, and version of Node. */
  made: string
  matrix: Matrix
}

export function readKept(): KeptMatrix {
  return JSON.parse(readFileSync(KEPT, 'utf8')) as KeptMatrix
}

/** Damages of a class that end alike are one row. */
export function matrixText({ matrix, looks, made }: KeptMatrix): string {
  const rows: string[][] = []
  for (const cls of CLASSES) {
    const alike = new Map<string, { damages: string[]; row: Row }>()
    for (const damage of DAMAGES) {
      const row = matrix[cls]?.[damage]
      if (!row) continue
      const key = JSON.stringify(row)
      alike.set(key, { damages: [...(alike.get(key)?.damages ?? []), damage], row })
    }
    for (const { damages, row } of alike.values()) {
      rows.push([cls, damages.join(', '), ...COLUMNS.map((column) => row[column]?.join('; or ') ?? '–')])
    }
  }
  const all = Object.values(looks).reduce((sum, count) => sum + count, 0)
  return `${all} damaged repositories, each looked at by all verbs. ${made}.\n\n${table(['Object', 'Damage', ...COLUMNS], rows)}`
}
