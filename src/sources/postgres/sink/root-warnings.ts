/** Partitioned tables that are restored without all of their partitions: the rows of the others stay as they are. */
import type { Warning } from '../../../events.ts'
import { keyOf, qualifiedNames } from './bound.ts'
import { keyInScript } from './schema-plan.ts'
import { decoded } from './statement.ts'
import type { Unit } from './unit.ts'

export function rootWarnings({ database, scripts, target }: Unit): Warning[] {
  const selected = new Set(database.tables.map(keyInScript))
  const without = new Map<string, string[]>()
  for (const { text, toc } of [...scripts.pre, ...scripts.post]) {
    const [root, partition] = toc?.type === 'TABLE ATTACH' ? qualifiedNames(text) : []
    if (!root || !partition || !selected.has(keyOf(root)) || selected.has(keyOf(partition))) continue
    const name = decoded(`${root.schema}.${root.name}`)
    without.set(name, [...(without.get(name) ?? []), decoded(`${partition.schema}.${partition.name}`)])
  }
  return [...without].map(([table, partitions]) => ({
    code: 'RESTORE_LEFT_OUT',
    message: `rows of ${table} are in partitions that are not selected: ${partitions.slice(0, 10).join(', ')}`,
    details: { database: target, table, partitions: partitions.slice(0, 100) },
  }))
}
