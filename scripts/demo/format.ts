/** Numbers as people read them. */
const whole = new Intl.NumberFormat('en-US')

export function count(value: number, one: string, many = `${one}s`): string {
  return `${whole.format(value)} ${value === 1 ? one : many}`
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`
  const power = Math.min(Math.floor(Math.log10(value) / 3), 4)
  const scaled = value / 1000 ** power
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${['', 'kB', 'MB', 'GB', 'TB'][power]}`
}

export function seconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
}

export function speed(size: number, ms: number): string {
  return `${bytes(Math.round(size / (Math.max(ms, 1) / 1000)))}/s`
}
