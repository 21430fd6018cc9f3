/** The entries of a ZIP that others have made, as entries of a source. */
import { BackupError } from '../../errors.ts'
import type { SourceEntry } from '../../sources/source.ts'
import { comparePaths, isSafePath, latin1ToUser } from '../../util/paths.ts'
import { zipError } from './zip-errors.ts'
import type { ZipIndex } from './zip-index.ts'
import type { ZipReader, ZipRecord } from './zip-reader.ts'

const S_IFMT = 0o170000
const S_IFREG = 0o100000
const S_IFDIR = 0o040000
const S_IFLNK = 0o120000
const PERMISSIONS = 0o777
const MAX_TARGET_BYTES = 4096
const BATCH_ENTRIES = 500

interface Named {
  /** latin1, without a '/' at its end. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink'
  /** Absent: a folder that has no entry of its own. */
  readonly record?: ZipRecord
}

/** In path order. @throws BackupError ZIP_UNSAFE_PATH, ZIP_CORRUPT, UNSUPPORTED */
export function foreignNames(index: ZipIndex): Named[] {
  const named = [...index.values()].map(nameOf).sort((a, b) => comparePaths(a.path, b.path))
  const all: Named[] = []
  /** What the current place lies in, outermost first. */
  const above: Named[] = []
  for (const each of named) {
    while (above.length > 0 && !each.path.startsWith(`${above.at(-1)!.path}/`) && each.path !== above.at(-1)!.path)
      above.pop()
    const last = above.at(-1)
    if (last?.path === each.path)
      throw zipError('ZIP_CORRUPT', 'duplicate', 'there are two entries of this name', { name: each.path })
    if (last && last.type !== 'directory')
      throw zipError('ZIP_UNSAFE_PATH', 'below', `it lies below a ${last.type}`, { name: each.path })
    for (const folder of missing(each.path, last?.path ?? '')) {
      above.push(folder)
      all.push(folder)
    }
    above.push(each)
    all.push(each)
  }
  return all
}

function* missing(path: string, below: string): Generator<Named> {
  const from = below === '' ? 0 : below.length + 1
  for (let slash = path.indexOf('/', from); slash >= 0; slash = path.indexOf('/', slash + 1))
    yield { path: path.slice(0, slash), type: 'directory' }
}

function nameOf(record: ZipRecord): Named {
  const { name } = record
  const path = name.endsWith('/') ? name.slice(0, -1) : name
  const unsafe = name.includes('\\') || /^[A-Za-z]:/.test(name) || !isSafePath(path)
  if (unsafe) throw zipError('ZIP_UNSAFE_PATH', 'name', 'the name may lead out of the ZIP', { name })
  const kind = record.mode & S_IFMT
  const isFolder = name.endsWith('/') || kind === S_IFDIR
  if (isFolder && record.bytes > 0) throw zipError('ZIP_CORRUPT', 'folder', 'a folder has content', { name })
  if (isFolder) return { path, type: 'directory', record }
  if (kind === S_IFLNK) return { path, type: 'symlink', record }
  if (kind === S_IFREG || kind === 0) return { path, type: 'file', record }
  throw new BackupError('UNSUPPORTED', `${JSON.stringify(latin1ToUser(name))} is neither file, folder nor symlink.`, {
    origin: 'source',
    details: { entry: latin1ToUser(name), mode: record.mode },
  })
}

export async function* foreignEntries(
  reader: ZipReader,
  names: readonly Named[],
): AsyncGenerator<readonly SourceEntry[]> {
  let batch: SourceEntry[] = []
  for (const named of names) {
    batch.push(await entryOf(reader, named))
    if (batch.length < BATCH_ENTRIES) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function entryOf(reader: ZipReader, { path, type, record }: Named): Promise<SourceEntry> {
  const about = {
    path: latin1ToUser(path),
    type,
    ...(record && { mtimeNs: BigInt(record.mtimeMs) * 1_000_000n }),
    ...(record && record.mode !== 0 && { mode: record.mode & PERMISSIONS }),
  }
  if (type === 'directory' || !record) return about
  if (type === 'symlink') return { ...about, linkTarget: latin1ToUser(await targetOf(reader, path, record)) }
  const open = (): AsyncIterable<Uint8Array> => reader.content(record)
  return { ...about, size: record.bytes, content: { from: 'stream', open } }
}

/** @throws BackupError ZIP_UNSAFE_PATH: it points out of the ZIP */
async function targetOf(reader: ZipReader, path: string, record: ZipRecord): Promise<string> {
  if (record.bytes > MAX_TARGET_BYTES)
    throw zipError('ZIP_CORRUPT', 'symlink', 'its target is too long', { name: path })
  const pieces: Uint8Array[] = []
  for await (const piece of reader.content(record)) pieces.push(piece)
  const target = Buffer.concat(pieces).toString('latin1')
  if (staysInside(path, target)) return target
  throw zipError('ZIP_UNSAFE_PATH', 'symlink', 'it is a symlink that points out of the ZIP', { name: path })
}

/** Folders above a link are real ones, so `..` is what it seems at the beginning; after another name that may be a link. */
function staysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || /[\\\0]|^[A-Za-z]:/.test(target)) return false
  const parts = target.split('/').filter((part) => part !== '.' && part !== '')
  const ups = parts.findIndex((part) => part !== '..')
  const leading = ups < 0 ? parts.length : ups
  return leading < path.split('/').length && !parts.slice(leading).includes('..')
}
