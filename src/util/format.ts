/** Numbers and paths as people read them: for messages, the demo and reports. Never for stored data. */

const STEPS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** '0 B', '999 B', '1.0 kB', '12.3 MB': powers of 1000, as disks and networks are sold. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 'B'
  for (const step of STEPS) {
    // 999.95 would print as '1000.0'
    if (value < (unit === 'B' ? 1000 : 999.95)) break
    value /= 1000
    unit = step
  }
  return unit === 'B' ? `${Math.round(value)} B` : `${value.toFixed(1)} ${unit}`
}

/** '1,234,567', whatever the machine's language. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 })
}

/** '42.0 %'; '-' for null. */
export function formatPercent(percent: number | null): string {
  return percent === null ? '-' : `${percent.toFixed(1)} %`
}

/** At most `max` characters: the middle of a long path is left out, since its ends say most. */
export function shortenPath(path: string, max: number): string {
  if (path.length <= max) return path
  const kept = Math.max(max - 1, 0)
  const head = Math.floor(kept / 3)
  return `${path.slice(0, head)}…${path.slice(path.length - (kept - head))}`
}
