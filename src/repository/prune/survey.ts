/** What there is, what of it is needed, and what that leaves to be done: the first half of a prune, and all of its plan. */
import { BackupError } from '../../errors.ts'
import { PREFIX, parseKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'
import { type ContentsOptions, type KnownPack, PruneContents } from './contents.ts'
import { packsOfOldEpochs } from './epochs.ts'
import { RootListing, type Roots } from './roots.ts'

export interface SurveyOptions extends ContentsOptions {
  records: Records
  /** Packs that are dead already. */
  dead: ReadonlySet<string>
  /** What was forgotten before this is kept no longer. */
  expiry: Date
  /** A pack is rewritten when so much of it is needed by nobody: above 0, up to 1. */
  minDeadShare: number
  /** Packs of older key epochs are rewritten too, whatever is dead of them. */
  rekeyOldData?: boolean | undefined
  onPhase(phase: 'list' | 'mark'): void
}

export interface ListedPack {
  readonly name: string
  readonly bytes: number
}

export interface JudgedPack extends KnownPack {
  readonly neededBytes: number
  /** It holds chunks that are needed, but are to be kept in another pack. */
  readonly isDoubled: boolean
}

export interface Survey {
  readonly contents: PruneContents
  readonly listing: RootListing
  readonly roots: Roots
  /** In the target, by name; bytes. */
  readonly packs: ReadonlyMap<string, number>
  /** Nobody needs anything in them. */
  readonly unneeded: readonly JudgedPack[]
  /** In no fragment: left by a run that ended early, or of one that is under way. */
  readonly unlisted: readonly ListedPack[]
  /** Mostly dead, the most dead first. */
  readonly rewrite: readonly JudgedPack[]
  /** Dead, and there all the same: a prune did not get to delete them. */
  readonly leftover: readonly ListedPack[]
  /**
   * Something that only forgotten snapshots need is nowhere: a copy that came late, or damage. What is there of them is kept, and
   * so are packs in no fragment.
   */
  readonly isTrashIncomplete: boolean
  /** Index fragments that were read. */
  readonly fragments: number
}

/**
 * The caller closes `contents`. What is nowhere is looked for once more from the start: fragments may have been merged
 * while they were listed. Then forgotten snapshots are no longer a reason to stop.
 * @throws BackupError OBJECT_MISSING: something that is needed is nowhere, and nothing is to be called garbage
 */
export async function survey(options: SurveyOptions): Promise<Survey> {
  const listing = new RootListing(options.records)
  for (let attempt = 1; ; attempt++) {
    const contents = new PruneContents(options)
    try {
      return await surveyOnce(options, listing, contents, attempt === ATTEMPTS)
    } catch (error) {
      await contents.close(error)
      if (!isMissing(error)) throw error
      if (attempt === ATTEMPTS) throw incomplete(error)
    }
  }
}

const ATTEMPTS = 3

async function surveyOnce(
  options: SurveyOptions,
  listing: RootListing,
  contents: PruneContents,
  isTrashIncomplete: boolean,
): Promise<Survey> {
  const { dead, signal, expiry, onPhase } = options
  onPhase('list')
  const roots = await listing.list(expiry, { signal })
  contents.index.markAbsent(dead)
  await contents.load()
  const named = contents.packs()
  // Last: a pack was there before the fragment that names it.
  const packs = await listPacks(options)
  contents.index.markAbsent(lostOf(named.values(), packs))
  onPhase('mark')
  const forgotten = roots.trash.map(({ snapshot }) => snapshot)
  await contents.walk(isTrashIncomplete ? roots.snapshots : [...roots.snapshots, ...forgotten])
  if (isTrashIncomplete) await contents.walkWhatIsThere(forgotten)
  return {
    contents,
    listing,
    roots,
    packs,
    ...strangers(packs, named, dead),
    ...(isTrashIncomplete && { unlisted: [] }),
    isTrashIncomplete,
    ...(await judge(contents, options)),
    fragments: contents.index.fragments,
  }
}

async function listPacks({ target, signal }: SurveyOptions): Promise<Map<string, number>> {
  const packs = new Map<string, number>()
  for await (const { key, size } of target.list(PREFIX.packs, { signal })) {
    const parsed = parseKey(key)
    if (parsed?.area === 'packs') packs.set(parsed.name, size)
  }
  return packs
}

/** A pack that is not there, or not whole, is no place for anything: what else has its chunks must not die. */
export function lostOf(known: Iterable<KnownPack>, packs: ReadonlyMap<string, number>): Set<string> {
  const lost = new Set<string>()
  for (const { name, bytes } of known) if (packs.get(name) !== bytes) lost.add(name)
  return lost
}

function strangers(
  packs: ReadonlyMap<string, number>,
  named: ReadonlyMap<string, KnownPack>,
  dead: ReadonlySet<string>,
): Pick<Survey, 'unlisted' | 'leftover'> {
  const unlisted: ListedPack[] = []
  const leftover: ListedPack[] = []
  for (const [name, bytes] of packs) {
    if (dead.has(name)) leftover.push({ name, bytes })
    else if (!named.has(name)) unlisted.push({ name, bytes })
  }
  return { unlisted, leftover }
}

async function judge(contents: PruneContents, options: SurveyOptions): Promise<Pick<Survey, 'unneeded' | 'rewrite'>> {
  const { minDeadShare, rekeyOldData } = options
  const tallies = await contents.choose()
  const old = rekeyOldData ? await packsOfOldEpochs(contents.packs().values(), options) : new Set<string>()
  const unneeded: JudgedPack[] = []
  const rewrite: JudgedPack[] = []
  for (const known of contents.packs().values()) {
    const neededBytes = known.places.reduce((sum, at) => sum + tallies[at.table]!.neededBytes[at.pack]!, 0)
    const [first] = known.places
    const all = tallies[first!.table]!.segmentBytes[first!.pack]!
    const isDoubled = known.places.some((at) => tallies[at.table]!.doubled[at.pack] === 1)
    const pack = { ...known, neededBytes, isDoubled }
    if (neededBytes === 0) unneeded.push(pack)
    else if (all - neededBytes >= minDeadShare * all || old.has(known.name)) rewrite.push(pack)
  }
  rewrite.sort((a, b) => a.neededBytes / a.bytes - b.neededBytes / b.bytes)
  return { unneeded, rewrite }
}

export function isMissing(error: unknown): error is BackupError {
  return BackupError.is(error) && error.code === 'OBJECT_MISSING'
}

export function incomplete(cause: BackupError): BackupError {
  return new BackupError(
    'OBJECT_MISSING',
    `Nothing is pruned: something that a snapshot needs is nowhere. ${cause.message}`,
    {
      origin: 'repository',
      details: cause.details,
      hint: 'Run verify to see which snapshots are affected, and repair or forget those; then prune.',
      cause,
    },
  )
}
