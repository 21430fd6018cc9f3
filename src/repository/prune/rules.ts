/**
 * The rules of the protocol that tests leave out one at a time, to see that each of them is missed. Never an option: all
 * of them hold, always.
 */
export interface PruneRules {
  /** Rule 9: snapshots and index are listed a second time, and what is needed after all is rescued. */
  readonly marksAgain: boolean
  /** Rules 7 and 10: what exists already ends this prune. */
  readonly stopsWhenTaken: boolean
  /** Rule 10: the outcome has every pack that ever died, and each is in it before it is deleted. */
  readonly keepsDeadList: boolean
  /** Rule 7: packs in no fragment are candidates, and die like all others. */
  readonly namesUnlisted: boolean
  /** Rule 10: the index is rewritten after the outcome, never before. */
  readonly decidesFirst: boolean
  /** Rule 8: the `runs/<id>` of a committed run stays as long as its owner may look at it. */
  readonly keepsCommittedRuns: boolean
  /** Rule 1: names of fragments are random. */
  readonly fragmentNameOf?: (raw: Uint8Array) => string
}

export const ALL_RULES: PruneRules = {
  marksAgain: true,
  stopsWhenTaken: true,
  keepsDeadList: true,
  namesUnlisted: true,
  decidesFirst: true,
  keepsCommittedRuns: true,
}
