/** `metadata.json` of a ZIP that this package has made, line by line. */
import { z } from 'zod'
import { BackupError, type Json } from '../../errors.ts'
import { comparePaths, isSafePath, userToLatin1 } from '../../util/paths.ts'
import type { EntryLine } from '../../workers/zip/metadata-lines.ts'
import { METADATA_FORMAT, METADATA_VERSION } from './metadata.ts'
import { zipError } from './zip-errors.ts'
import { SOURCE_NAME } from './zip-names.ts'
import type { ZipReader, ZipRecord } from './zip-reader.ts'

/** Facts of an entry are at most 1 MiB. */
const MAX_LINE = 3 * 1024 * 1024
const LAST_LINE = ']}'

const whole = z.int().min(0)
const facts = z.record(z.string(), z.json() as z.ZodType<Json>)
const words = z.array(z.string().max(128)).max(64)
const snapshotSchema = z.object({
  repository: z.string(),
  id: z.string(),
  createdAt: z.iso.datetime(),
  host: z.string().min(1).max(255),
  complete: z.boolean(),
  name: z.string().max(256).optional(),
  description: z.string().max(4096).optional(),
  tags: words,
  labels: z.record(z.string().max(128), z.string().max(1024)),
  actor: z.string().max(256).optional(),
  schedule: z.string().max(256).optional(),
})
const sourceSchema = z.object({
  name: z.string().regex(SOURCE_NAME),
  kind: z.string().min(1).max(64),
  prefix: z.string(),
  facts,
})
const entrySchema: z.ZodType<EntryLine> = z.object({
  source: z.string(),
  path: z.string().min(1),
  type: z.string().min(1).max(64),
  size: z.exactOptional(whole),
  mode: z.exactOptional(whole.max(0o177777)),
  uid: z.exactOptional(whole),
  gid: z.exactOptional(whole),
  mtimeNs: z.exactOptional(z.string().regex(/^-?\d{1,19}$/)),
  linkTarget: z.exactOptional(z.string()),
  linkGroup: z.exactOptional(z.string()),
  facts: z.exactOptional(facts),
  zip: z.exactOptional(z.string()),
  sha256: z.exactOptional(z.string().regex(/^[0-9a-f]{64}$/)),
  sparse: z.exactOptional(z.literal(true)),
})

export interface ZipMetadata {
  readonly snapshot: z.output<typeof snapshotSchema>
  readonly sources: readonly z.output<typeof sourceSchema>[]
  /** The entries of all sources, one source after the other, each in path order. To be read once, and closed. */
  readonly entries: MetadataEntries
}

/** Undefined where it is somebody else's. @throws BackupError ZIP_CORRUPT, FORMAT_UNSUPPORTED */
export async function openMetadata(reader: ZipReader, record: ZipRecord): Promise<ZipMetadata | undefined> {
  const lines = linesOf(reader.content(record))
  const next = async (): Promise<string> => (await lines.next()).value ?? ''
  const first = await next()
  if (!first.startsWith(`{"format":${JSON.stringify(METADATA_FORMAT)},"version":`)) {
    await lines.return()
    return undefined
  }
  const { version } = parse(z.object({ version: z.int() }), `${first.replace(/,$/, '')}}`)
  if (version !== METADATA_VERSION) throw newer(version)
  const snapshot = parse(snapshotSchema, memberOf(await next(), 'snapshot'))
  const sources = parse(z.array(sourceSchema), memberOf(await next(), 'sources'))
  if ((await next()) !== '"entries":[') throw malformed('it has no list of entries')
  return { snapshot, sources, entries: new MetadataEntries(lines) }
}

function memberOf(line: string, name: string): string {
  const head = `"${name}":`
  if (!line.startsWith(head) || !line.endsWith(',')) throw malformed(`it has no ${name}`)
  return line.slice(head.length, -1)
}

export class MetadataEntries {
  private readonly lines: AsyncGenerator<string, void>
  private ahead: EntryLine | undefined
  private isOver = false

  constructor(lines: AsyncGenerator<string, void>) {
    this.lines = lines
  }

  /** Those of one source. */
  async *of(source: string): AsyncGenerator<{ line: EntryLine; path: string }> {
    let before: string | undefined
    let leaf: string | undefined
    for (let line = await this.peek(); line?.source === source; line = await this.peek()) {
      this.ahead = undefined
      const path = userToLatin1(line.path)
      if (!isSafePath(path)) throw zipError('ZIP_UNSAFE_PATH', 'name', 'the path leads elsewhere', { name: path })
      if (before !== undefined && comparePaths(before, path) >= 0) throw malformed('its entries are not in order')
      if (leaf !== undefined && path.startsWith(leaf))
        throw zipError('ZIP_UNSAFE_PATH', 'below', 'it lies below what holds nothing', { name: path })
      if (LEAVES.has(line.type)) leaf = `${path}/`
      before = path
      yield { line, path }
    }
  }

  private async peek(): Promise<EntryLine | undefined> {
    if (this.ahead || this.isOver) return this.ahead
    const { value: line, done } = await this.lines.next()
    if (done) throw malformed('it is cut short')
    if (line === LAST_LINE) {
      // To the end of the file, so that its CRC is compared.
      if (!(await this.lines.next()).done) throw malformed('something follows its end')
      this.isOver = true
      return undefined
    }
    this.ahead = parse(entrySchema, line.replace(/,$/, ''))
    return this.ahead
  }

  /** @throws BackupError ZIP_CORRUPT: there are entries left */
  async requireEnd(): Promise<void> {
    const line = await this.peek()
    if (line) throw malformed(`an entry of source ${JSON.stringify(line.source)} is out of place`)
  }

  async close(): Promise<void> {
    await this.lines.return()
  }
}

const LEAVES: ReadonlySet<string> = new Set(['file', 'symlink', 'fifo', 'socket', 'char-device', 'block-device'])

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + decodeWith(decoder, piece)).split('\n')
    rest = lines.pop()!
    if (rest.length > MAX_LINE) throw malformed('a line of it is too long')
    yield* lines
  }
  if (rest !== '') yield rest
}

function decodeWith(decoder: InstanceType<typeof TextDecoder>, piece: Uint8Array): string {
  try {
    return decoder.decode(piece, { stream: true })
  } catch (error) {
    throw malformed('it is not UTF-8', error)
  }
}

function parse<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw malformed('a line of it is not JSON', error)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw malformed(`a line of it says what it must not: ${parsed.error.issues[0]?.path.join('.')}`, parsed.error)
}

export function malformed(why: string, cause?: unknown): BackupError {
  return zipError('ZIP_CORRUPT', 'metadata', `metadata.json: ${why}`, { cause })
}

function newer(version: number): BackupError {
  return new BackupError('FORMAT_UNSUPPORTED', `The ZIP is of version ${version}, this is for ${METADATA_VERSION}.`, {
    origin: 'source',
    details: { version },
    hint: 'Update the package.',
  })
}
