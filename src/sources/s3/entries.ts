/** Rows of a listing as entries, those that were chosen, under paths that do not collide. */
import { latin1ToUser } from '../../util/paths.ts'
import type { Selection } from '../filesystem/globs.ts'
import type { SourceEntry } from '../source.ts'
import type { Bucket } from './bucket.ts'
import { ObjectReading } from './content.ts'
import { itselfPath, keyToPath } from './key-path.ts'
import type { Row } from './rows.ts'

/** Times of S3 count whole seconds: what was written just before the listing may be written again and look the same. */
const FRESH_MS = 2000

interface Chosen {
  readonly row: Row
  readonly key: string
  /** latin1 */
  readonly path: string
}

export interface EntryPlace {
  readonly bucket: Bucket
  readonly prefix: string
  readonly selection: Selection
  readonly signal: AbortSignal
}

/** From batches in path order. Holds one row back, since the next one says whether it is also a folder. */
export class EntryMaker {
  readonly #place: EntryPlace
  #held: Chosen | undefined
  objects = 0
  bytes = 0

  constructor(place: EntryPlace) {
    this.#place = place
  }

  take(rows: readonly Row[]): SourceEntry[] {
    const entries: SourceEntry[] = []
    for (const row of rows) {
      const key = row.key.slice(this.#place.prefix.length)
      const path = keyToPath(key)
      if (!isChosen(this.#place.selection, latin1ToUser(path))) continue
      const entry = this.#give(key)
      if (entry) entries.push(entry)
      this.#held = { row, key, path }
    }
    return entries
  }

  rest(): SourceEntry[] {
    const entry = this.#give(undefined)
    this.#held = undefined
    return entry ? [entry] : []
  }

  #give(next: string | undefined): SourceEntry | undefined {
    if (this.#held === undefined) return undefined
    const { row, key, path } = this.#held
    this.objects++
    this.bytes += row.size
    const isFolder = next?.startsWith(`${key}/`) === true
    return entryOf(this.#place, row, isFolder ? itselfPath(path) : path)
  }
}

function entryOf({ bucket, signal: session }: EntryPlace, row: Row, path: string): SourceEntry {
  let reading: ObjectReading | undefined
  const fingerprint = fingerprintOf(row)
  return {
    path: latin1ToUser(path),
    type: 'file',
    size: row.size,
    ...(row.modifiedAt && { modifiedAt: row.modifiedAt }),
    ...(fingerprint !== undefined && { fingerprint }),
    content: {
      from: 'stream',
      skippable: true,
      open: ({ signal }) => {
        reading = new ObjectReading(bucket, row, session, signal)
        return reading.bytes()
      },
      finish: (proof) => reading!.facts(proof),
      instead: () => reading?.instead,
    },
  }
}

function fingerprintOf({ etag, size, modifiedAt, listedMs }: Row): string | undefined {
  if (etag === '' || modifiedAt === undefined || modifiedAt.getTime() > listedMs - FRESH_MS) return undefined
  return `${etag} ${size} ${Math.floor(modifiedAt.getTime() / 1000)}`
}

/** Each folder above is asked as well: one that is included or excluded takes all of it along. */
export function isChosen(selection: Selection, path: string): boolean {
  if (selection.isEverything) return true
  let isIncluded = !selection.hasIncludes
  for (let start = 0, end = 0; end < path.length; start = end + 1) {
    end = path.indexOf('/', start)
    if (end < 0) end = path.length
    const [whole, name] = [path.slice(0, end), path.slice(start, end)]
    if (selection.excludes(whole, name)) return false
    isIncluded ||= selection.includes(whole, name)
  }
  return isIncluded
}
