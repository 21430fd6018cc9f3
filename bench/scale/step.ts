/** One step in a process of its own: what it took, and the most memory that it and its children held. */
import { fileURLToPath } from 'node:url'
import { type Command, measure } from '../measure.ts'

export interface Part {
  /** Makes what is measured in `folder`, which is empty. */
  prepare(folder: string): Promise<void>
  measure(folder: string): Promise<Figure[]>
}

export interface Figure {
  readonly what: string
  readonly ms: number
  readonly peakBytes?: number | undefined
  readonly goal?: { readonly ms?: number; readonly bytes?: number; readonly text?: string }
  /** Wins over `goal`. */
  readonly isMet?: boolean
}

/** What a child prints: milliseconds of each thing that it did in one open engine, by name. */
export interface Told {
  readonly steps: readonly { readonly what: string; readonly ms: number }[]
  /** Whatever else it has to say. */
  readonly facts?: Readonly<Record<string, number | string>>
}

export interface Done extends Told {
  readonly wallMs: number
  readonly peakBytes: number | undefined
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

export async function step(...args: (string | number)[]): Promise<Done> {
  const done = await command({ file: process.execPath, args: [CHILD, ...args.map(String)] })
  return { ...(JSON.parse(done.stdout.trim().split('\n').at(-1)!) as Told), ...done }
}

export async function command(
  what: Command,
): Promise<{ wallMs: number; peakBytes: number | undefined; stdout: string }> {
  const { wallMs, peakBytes, stdout, cpuMs } = await measure(what)
  const seconds = (ms = Number.NaN): string => `${(ms / 1000).toFixed(1)} s`
  const megabytes = ((peakBytes ?? Number.NaN) / 1e6).toFixed(0)
  console.error(
    `${what.args.slice(-4).join(' ')}: ${seconds(wallMs)}, CPU ${seconds(cpuMs)}, ${megabytes} MB ${stdout.trim()}`,
  )
  return { wallMs, peakBytes, stdout }
}

export function msOf({ steps }: Told, what: string): number {
  return steps.find((each) => each.what === what)?.ms ?? Number.NaN
}

export function rowOf({ what, ms, peakBytes, goal, isMet }: Figure): string[] {
  const took = ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
  return [
    what,
    took,
    peakBytes === undefined ? '' : megabytes(peakBytes),
    goalText(goal),
    verdict(isMet, ms, peakBytes, goal),
  ]
}

function goalText({ ms, bytes, text }: NonNullable<Figure['goal']> = {}): string {
  const parts = [ms === undefined ? '' : `${ms / 1000} s`, bytes === undefined ? '' : megabytes(bytes), text ?? '']
  return parts.filter((part) => part !== '').join(', ')
}

function verdict(isMet: boolean | undefined, ms: number, peakBytes = 0, goal: Figure['goal'] = undefined): string {
  if (!goal) return ''
  const { ms: most = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = goal
  return (isMet ?? (ms <= most && peakBytes <= bytes)) ? 'met' : 'missed'
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
