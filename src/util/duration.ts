/** Milliseconds as people read them. */

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
]

/** '840 ms', '4.2 s', '3m 05s', '2h 10m', '1d 04h': the two largest units, enough for a progress line. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000) * 1000
  const at = UNITS.findIndex(([, size]) => whole >= size)
  const [name, size] = UNITS[at] as readonly [string, number]
  const [small, smallSize] = UNITS[at + 1] as readonly [string, number]
  const rest = Math.floor((whole % size) / smallSize)
  return `${Math.floor(whole / size)}${name} ${String(rest).padStart(2, '0')}${small}`
}
