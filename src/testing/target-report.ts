/** What the suite for targets found out, promise by promise, and the card that shows it. */
import type { TargetTraits } from '../targets/target.ts'

/** In the order of the card. */
export const PROMISES = {
  description: 'says what it is: name, traits, space',
  content: '`get` gives exactly what was put, whole and in ranges, and never fewer bytes',
  sizes: 'takes objects from 0 bytes to the size of a pack',
  checksums: 'tells the checksum of what is stored',
  keys: 'takes every key that is allowed, and refuses all others',
  list: '`list` gives every key below a prefix once',
  delete: '`delete` takes the given keys and nothing else',
  atomic: '`put` shows the whole old or the whole new object',
  createOnce: '`put` with `ifAbsent` creates once',
  buffers: 'buffers have one owner',
  abort: 'nothing changes after an abort',
  noRetries: 'reports passing failures, and leaves trying again to others',
  close: '`close` leaves nothing behind',
} as const
export type PromiseName = keyof typeof PROMISES

export interface TestResult {
  readonly promise: PromiseName
  readonly test: string
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'untried'
  /** Of a failure the first line; of a skip the trait. */
  readonly why?: string
}

export class TargetReport {
  readonly results: TestResult[] = []
  name = ''
  traits: TargetTraits | undefined

  add(result: TestResult): void {
    this.results.push(result)
  }

  /** Markdown without dates or versions, so that it can be kept in a repository and compared. */
  card(): string {
    const rows = Object.entries(PROMISES).map(([promise, text]) => `| ${text} | ${this.#resultOf(promise)} |`)
    const head = [`**${this.name}**: ${describeTraits(this.traits)}`, '', '| Promise | Result |', '| --- | --- |']
    return [...head, ...rows, ''].join('\n')
  }

  #resultOf(promise: string): string {
    const of = this.results.filter((each) => each.promise === promise)
    const bad = of.filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped')
    const others = [...bad, ...of.filter(({ outcome }) => outcome === 'untried')]
    const all = others.map(({ outcome, test, why = '' }) =>
      outcome === 'untried' ? `not tried: ${why}` : `**${outcome}**: ${test} (${oneCell(why)})`,
    )
    if (of.length > others.length) all.unshift('passed')
    return all.length === 0 ? 'not run' : all.join('; ')
  }
}

function describeTraits(traits: TargetTraits | undefined): string {
  if (traits === undefined) return 'could not be created'
  const { createOnly, maxConcurrency, maxObjectBytes, checksums = 'none', remote = false } = traits
  const all = [
    createOnly ? 'creates once between processes' : 'one writing process at a time',
    `${maxConcurrency} calls at once`,
    ...(maxObjectBytes === undefined ? [] : [`objects of at most ${maxObjectBytes} bytes`]),
    checksums === 'none' ? 'no checksums' : `checksums: ${checksums}`,
    remote ? 'remote' : 'on this machine',
  ]
  return all.join(', ')
}

function oneCell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
}
