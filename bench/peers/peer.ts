/** What the benchmark asks of a program: four commands that do the same work in each. */
import type { Command } from '../measure.ts'

/** Folders of one program in one round, all fresh. */
export interface Place {
  readonly repository: string
  /** For caches and settings of the program: never the user's own. */
  readonly scratch: string
}

export interface Peer {
  readonly name: string
  /** Undefined: not installed, and left out. */
  version(): Promise<string | undefined>
  /** Creates the repository; not part of any figure. */
  init(place: Place): Command
  /** Backs up all of `data`; run again it is the incremental backup. */
  backup(place: Place, data: string): Command
  /** Restores the newest backup into `target`, an empty folder. */
  restore(place: Place, target: string): Command
  /** Reads, decrypts and checks all stored data. */
  verify(place: Place): Command
  /** Opens once and backs up several times; prints one JSON line `{ wallMs, cpuMs }` for each backup. */
  backupOpen?(place: Place, data: string): Command
}

/** Every program encrypts with this. */
export const PASSPHRASE = 'a passphrase for benchmarks'
