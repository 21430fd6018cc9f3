/** What each role does. Another one is a line here, and an actor in the scheduler's list. */
import type { Journal } from './journal.ts'
import { backUp } from './role-backup.ts'
import { forgetAndPrune } from './role-prune.ts'
import { restoreSome } from './role-restore.ts'
import type { Role, Settings } from './settings.ts'

export interface Actor {
  readonly settings: Settings
  readonly journal: Journal
  readonly random: () => number
  /** The soak is over: end what is under way, and begin nothing. */
  stopped(): boolean
  pause(ms: number): Promise<void>
  /** A backup, a restore, a prune: by these the scheduler measures a life. */
  pieceDone(): void
}

/** Each goes on until it is stopped, mostly by `kill -9`. What it throws and may be tried again begins it anew. */
export const ROLES: Readonly<Record<Role, (actor: Actor) => Promise<void>>> = {
  backup: backUp,
  restore: restoreSome,
  prune: forgetAndPrune,
}
