import type { Readable, Writable } from 'node:stream'
import type { Key } from '../../repository/key-slots-key.ts'
import type { Target } from '../../targets/target.ts'
import type { BackupResult } from './backup.ts'
import type { Selection } from './browse.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotRef } from './snapshot.ts'

/** A file that is not there yet, a stream that is ended when the ZIP is whole, or an object of any target. */
export type ZipDestination =
  | { readonly path: string }
  | { readonly stream: Writable }
  | { readonly target: Target; readonly key: string }

export interface ExportZipOptions extends CallOptions {
  snapshot: SnapshotRef
  to: ZipDestination
  /** Default: everything. */
  select?: Selection
  /** 0 (nothing is compressed) to 9. Content that does not get smaller is always stored as it is. Default 6. */
  compressionLevel?: number
  /**
   * Made by `passphrase()`: the whole ZIP, names too, becomes a file of age (https://age-encryption.org), which `age -d` opens.
   * Takes 128 MiB of memory for half a second at the beginning. Default: it is not encrypted.
   */
  encrypt?: Key
  /**
   * Bytes of the largest object that is put to a target. A longer ZIP becomes `<key>.001`, `<key>.002` …, which `cat` or 7z
   * joins. As much is kept in memory. 1 MiB to 1 GiB, default 32 MiB.
   */
  maxVolumeBytes?: number
}

export interface ExportResult extends RunResult {
  /** Id of the snapshot. */
  snapshot: string
  /** Entries of the snapshot that it holds. */
  entries: number
  /** Of the ZIP; of the encrypted file where it is that. */
  bytes: number
  /** Hex; of the same bytes. */
  sha256: string
  /** The file, or the keys of the objects in order. Empty for a stream. */
  volumes: string[]
}

/** A stream is first copied into a temporary file, since a ZIP is read from its end. */
export type ZipOrigin =
  | { readonly path: string }
  | { readonly stream: Readable }
  | { readonly target: Target; readonly key: string }

export interface ImportZipOptions extends CallOptions {
  from: ZipOrigin
  /** Of an encrypted ZIP: the passphrase, as `passphrase()` makes it. INVALID_OPTIONS where the ZIP is not encrypted. */
  key?: Key
  /** What the source is called, of a ZIP that this package has not made. Default 'zip'. */
  source?: string
  /** Default: that of the exported snapshot. */
  name?: string
  /** At most 64. Default: those of the exported snapshot. */
  tags?: readonly string[]
  /** ZIP_BOMB when it has more entries. About 300 bytes of memory for each. Default 1,000,000. */
  maxEntries?: number
  /** ZIP_BOMB when all of it takes more bytes, unpacked. Default: no limit. */
  maxBytes?: number
  /** ZIP_BOMB when all of it takes so many times the bytes of the ZIP, and more than 1 GiB. Default 200. */
  maxRatio?: number
}

/** As of a backup; the snapshot's kind is 'import'. */
export interface ImportResult extends BackupResult {}
