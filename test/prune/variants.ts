/** The protocol with one rule left out each, as the model checker of its design found them to be needed. */

import type { Bounds } from './explorer.ts'
import type { ActorName, CONTENTS, Rules } from './scenes.ts'
import { contentName } from './world.ts'

export interface Variant {
  what: string
  actors: readonly ActorName[]
  rules: Partial<Rules>
  bounds: Bounds
  contents?: keyof typeof CONTENTS
  /** Listings are a step for each key. */
  finely?: true
  /** What is found. Default: a snapshot that lacks a chunk. */
  finds?: RegExp
}

const ONE = { preemptions: 1, faults: 0 }

export const VARIANTS: readonly Variant[] = [
  {
    what: 'names of packs that come from their content',
    actors: ['writer1', 'prune1'],
    rules: { writer: { randomPackNames: false } },
    bounds: ONE,
  },
  {
    what: 'names of fragments that come from their content',
    actors: ['merge1', 'merge2'],
    rules: { mergesByContent: true, prune: { fragmentNameOf: contentName } },
    bounds: ONE,
  },
  {
    what: 'a late fragment of a fenced run, for a pack that no dead list names',
    actors: ['writer1', 'prune1'],
    rules: { prune: { namesUnlisted: false } },
    bounds: ONE,
  },
  {
    what: 'a merger that wakes after a prune, and nobody passes the dead by',
    actors: ['merge1', 'prune1'],
    rules: { writer: { obeysDead: false } },
    bounds: ONE,
  },
  {
    what: 'a parent that is chosen before runs/<id> is there',
    actors: ['writer1', 'prune1', 'forget'],
    rules: { writer: { choosesParentLate: false } },
    bounds: ONE,
  },
  {
    what: 'the index read before gc/',
    actors: ['writer1', 'prune1'],
    rules: { writer: { readsGcFirst: false } },
    bounds: ONE,
  },
  {
    what: 'runs/<id> deleted before the commit',
    actors: ['writer1', 'prune1'],
    rules: { writer: { staysUntilCommitted: false } },
    bounds: ONE,
  },
  { what: 'no second listing', actors: ['writer1', 'prune1'], rules: { prune: { marksAgain: false } }, bounds: ONE },
  {
    what: 'two prunes that go on beside each other',
    actors: ['prune1', 'prune2', 'forget'],
    rules: { prune: { stopsWhenTaken: false } },
    bounds: ONE,
    contents: 'doubled',
  },
  {
    what: 'the index rewritten before the outcome',
    actors: ['prune1', 'oldWriter'],
    rules: { prune: { decidesFirst: false } },
    bounds: { preemptions: 0, faults: 1 },
  },
  {
    what: 'dead lists that are not passed on',
    actors: ['writer1', 'prune1', 'forget', 'prune2'],
    rules: { prune: { keepsDeadList: false } },
    bounds: { ...ONE, preempted: ['writer1'] },
    contents: 'whole',
  },
  {
    what: 'dead lists that nobody reads',
    actors: ['writer1', 'prune1'],
    rules: { writer: { obeysDead: false } },
    bounds: ONE,
  },
  {
    what: 'a pack that is retired though what was saved of it is gone',
    actors: ['repair', 'prune1'],
    rules: { asksAfterSaved: false },
    bounds: ONE,
    contents: 'whole',
  },
  {
    what: 'an undo that relies on what a prune has named, by a copy that came late',
    actors: ['lateCopy', 'undo', 'prune1'],
    rules: { relies: true },
    bounds: ONE,
    contents: 'late',
  },
  {
    what: 'an erasure that relies on what a prune has named',
    actors: ['prune1', 'writer2', 'eraseWriter2'],
    rules: { relies: true },
    bounds: { preemptions: 2, faults: 0, preempted: ['prune1'] },
    contents: 'loose',
    finely: true,
  },
  {
    what: 'an erasure that leaves no mark, beside who forgets',
    actors: ['erase', 'forget'],
    rules: { leavesNoMark: true },
    bounds: ONE,
    contents: 'common',
    finds: /erased/,
  },
  {
    what: 'a create that is repeated after its reply was lost and the snapshot forgotten',
    actors: ['writer1', 'prune1', 'forgetWriter1', 'prune2'],
    rules: { writer: { commitsOnce: false }, prune: { keepsCommittedRuns: false } },
    bounds: { preemptions: 1, faults: 1, preempted: ['writer1'], fates: ['lost'], victims: ['writer1'] },
    contents: 'whole',
  },
]
