/** The sources of a snapshot that is exported. */
import type { Json } from '../../errors.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'

export interface ExportSource {
  readonly name: string
  readonly kind: string
  /** Of the names in the ZIP, with a '/' at its end. */
  readonly prefix: string
  readonly facts: Readonly<Record<string, Json>>
  readonly record: SnapshotSourceRecord
}

/** Databases have a folder of their own: their files are scripts and rows, and `restore.sql` loads them. */
export function prefixOf({ name, kind }: Pick<SnapshotSourceRecord, 'name' | 'kind'>): string {
  return `${kind === 'postgres' ? 'database' : 'files'}/${name}/`
}
