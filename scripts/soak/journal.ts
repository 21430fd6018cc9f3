/** What an actor has done, a line for each thing, written before the next is begun: it survives `kill -9`. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { actorFolder } from './settings.ts'

export type Line =
  /** The tree is of this generation, and its manifest is written. */
  | { readonly what: 'tree'; readonly generation: number }
  | { readonly what: 'begin'; readonly generation: number }
  | { readonly what: 'put' | 'stored'; readonly key: string; readonly bytes: number }
  | { readonly what: 'commit'; readonly generation: number; readonly id: string }
  | { readonly what: 'failed'; readonly code: string; readonly message: string; readonly retryable: boolean }
  | { readonly what: 'restored'; readonly id: string; readonly bytes: number }
  /** Prunes took packs away faster than the restore could follow, and so it begins again. */
  | { readonly what: 'again'; readonly id: string }
  /** Forgotten while it was restored. */
  | { readonly what: 'overtaken'; readonly id: string }
  | { readonly what: 'different'; readonly id: string; readonly how: readonly string[] }
  /** Before it is done. */
  | { readonly what: 'forget'; readonly ids: readonly string[] }
  | {
      readonly what: 'pruned'
      readonly state: 'done' | 'pending'
      readonly freedBytes: number
      readonly deletedPacks: number
      readonly rewrittenPacks: number
      readonly rescued: number
    }

export type Written = Line & { readonly life: number }

export class Journal {
  readonly #file: number
  readonly #life: number

  constructor(folder: string, name: string, life: number) {
    mkdirSync(actorFolder(folder, name), { recursive: true })
    this.#file = openSync(journalPath(folder, name), 'a')
    this.#life = life
  }

  write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify({ life: this.#life, ...line })}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

export function readJournal(folder: string, name: string): Written[] {
  const path = journalPath(folder, name)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Written)
}

/** Ids that somebody has set out to forget: whether they are gone is not known. */
export function forgettable(folder: string, names: readonly string[]): Set<string> {
  const lines = names.flatMap((name) => readJournal(folder, name))
  return new Set(lines.flatMap((line) => (line.what === 'forget' ? line.ids : [])))
}

function journalPath(folder: string, name: string): string {
  return join(actorFolder(folder, name), 'journal.jsonl')
}
