/** Readers of what comes from outside: ZIPs, what Postgres sends, what programs print. */
import { ArchiveIn } from '../../../src/engine/zip/archive-in.ts'
import { ZipReader } from '../../../src/engine/zip/zip-reader.ts'
import { zipContents } from '../../../src/engine/zip/zip-sources.ts'
import { memoryTarget } from '../../../src/index.ts'
import { readDump, writeDump } from '../../../src/sources/filesystem/xattr-dump.ts'
import { withoutTime } from '../../../src/sources/postgres/archive-head.ts'
import { CopyFrames } from '../../../src/sources/postgres/copy-out-frames.ts'
import { copyLines, rawValues } from '../../../src/sources/postgres/rows/copy-text.ts'
import { pieces } from '../../../src/sources/postgres/sql-lex.ts'
import type { Source, SourceEntry } from '../../../src/sources/source.ts'
import { memorySource, testEngine } from '../../../src/testing/index.ts'
import type { Decoder } from './run.ts'

const SIGNAL = new AbortController().signal
const LIMITS = { maxEntries: 100, maxBytes: 2 ** 20, maxRatio: 1000 }
const ZIP_KEY = 'a.zip'

/** What an export makes, with the metadata of its entries, and the same as any other ZIP. */
async function sampleZip(): Promise<Uint8Array> {
  const files = { 'a/text': 'the same again '.repeat(30), b: 'b', 'c d': '' }
  const engine = await testEngine({ sources: [memorySource({ name: 'files', files })] })
  const target = memoryTarget()
  const { snapshot } = await engine.backup()
  await engine.exportZip({ snapshot: snapshot.id, to: { target, key: ZIP_KEY } })
  await engine.close()
  return target.get(ZIP_KEY)
}

async function readZip(bytes: Uint8Array): Promise<void> {
  const target = memoryTarget()
  await target.put(ZIP_KEY, new Uint8Array(bytes))
  const archive = await ArchiveIn.open({ target, key: ZIP_KEY }, undefined, SIGNAL)
  try {
    const reader = await ZipReader.open(archive, SIGNAL)
    const { sources } = await zipContents(reader, 'zip', LIMITS)
    for (const source of sources) await readSource(source)
  } finally {
    await archive.close()
  }
}

async function readSource(source: Source): Promise<void> {
  const session = await source.open({ signal: SIGNAL } as Parameters<Source['open']>[0])
  for await (const batch of session.entries()) for (const entry of batch) await readEntry(entry)
}

async function readEntry({ content }: SourceEntry): Promise<void> {
  if (content?.from !== 'stream') return
  for await (const _ of await content.open({ signal: SIGNAL } as Parameters<typeof content.open>[0]));
}

async function* inPieces(bytes: Uint8Array, pieceBytes = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
}

/** A head of a custom archive of pg_dump 16. */
function archiveHead(): Uint8Array {
  const made = [1, 2, 3, 4, 5, 120, 0].flatMap((value) => [0, value, 0, 0, 0])
  return Uint8Array.from([...Buffer.from('PGDMP'), 1, 15, 0, 4, 8, 1, 1, ...made, ...new Uint8Array(100)])
}

async function readHead(bytes: Uint8Array): Promise<void> {
  let length = 0
  for await (const piece of withoutTime(inPieces(bytes))) length += piece.length
  if (length !== bytes.length) throw new Error('it has another length')
}

function frames(): Uint8Array {
  const message = (type: string, body: string): Buffer => {
    const head = Buffer.alloc(5)
    head.write(type, 'latin1')
    head.writeUInt32BE(body.length + 4, 1)
    return Buffer.concat([head, Buffer.from(body)])
  }
  return Buffer.concat([
    message('d', '1\ta\n'),
    message('N', 'a notice'),
    message('d', `${'2'.repeat(40)}\n`),
    message('c', ''),
  ])
}

/** In one piece, and in pieces that end anywhere: the same comes out. */
function readFrames(bytes: Uint8Array): void {
  const whole = rowsOf([Buffer.from(bytes)])
  const parts = Array.from({ length: Math.ceil(bytes.length / 3) }, (_, i) =>
    Buffer.from(bytes.slice(i * 3, i * 3 + 3)),
  )
  if (!whole.equals(rowsOf(parts))) throw new Error('rows depend on how the bytes come')
}

function rowsOf(parts: readonly Buffer[]): Buffer {
  const reader = new CopyFrames()
  for (const part of parts) if (reader.push(part) !== undefined) break
  const rows: Uint8Array[] = []
  for (let piece = reader.take(); piece; piece = reader.take()) rows.push(piece)
  return Buffer.concat(rows)
}

async function readLines(bytes: Uint8Array): Promise<void> {
  for await (const lines of copyLines(inPieces(bytes))) for (const line of lines) rawValues(line)
}

const SQL = `CREATE FUNCTION "a b".f() RETURNS text AS $x$ begin; 'a' end $x$ LANGUAGE sql; -- so\n/* a /* b */ */ SELECT E'\\'' ;\n\\restrict a\n`
const DUMP = writeDump([['a b', { 'user.x': 'AAEC', 'user.y': '' }]])

export async function outerDecoders(): Promise<Decoder[]> {
  const zip = await sampleZip()
  return [
    { name: 'ZIP', samples: [zip], decode: readZip },
    { name: 'head of an archive of Postgres', samples: [archiveHead()], decode: readHead },
    { name: 'messages of COPY', samples: [frames()], decode: readFrames },
    { name: 'rows of COPY', samples: [Buffer.from('1\ta\\tb\n\\N\tc\n')], decode: readLines },
    {
      name: 'SQL, as tokens',
      samples: [Buffer.from(SQL)],
      decode: (bytes) => [...pieces(Buffer.from(bytes).toString('latin1'))],
    },
    {
      name: 'extended attributes, as getfattr prints them',
      samples: [Buffer.from(DUMP, 'latin1')],
      decode: (bytes) => readDump(Buffer.from(bytes).toString('latin1')),
    },
  ]
}
