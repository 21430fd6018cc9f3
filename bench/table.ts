/** Markdown tables, and the machine in one line. */
import type { Machine } from './machine.ts'

export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...body.map((row) => (row[i] ?? '').length), 3))
  const line = (cells: readonly string[]): string => `| ${cells.map((c, i) => c.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}

export function describeCpu({ cores, cpu, shaNi, memoryBytes, system, filesystem, loadAverage }: Machine): string {
  const sha = shaNi === undefined ? '' : shaNi ? ', with SHA instructions' : ', without SHA instructions'
  const memory = `${(memoryBytes / 2 ** 30).toFixed(0)} GiB`
  const noise = loadAverage > 0.5 ? ' (BUSY WITH OTHER WORK: do not trust these figures)' : ''
  return `${cores} × ${cpu}${sha}, ${memory}, ${system}, ${filesystem}; load ${loadAverage.toFixed(2)} before the start${noise}`
}
