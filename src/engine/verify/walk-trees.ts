/** Walks the trees of the chosen snapshots, all threads sharing each tree, and gathers what they name in vain. */
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { BadPlaces } from '../../workers/chunks/sound-index.ts'
import type { TreeProblem } from '../../workers/verify/problems.ts'
import type { ChildrenAnswer, WalkAnswer } from '../../workers/verify/service.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { CheckSessions } from './check-sessions.ts'
import type { CheckWork } from './check-work.ts'
import type { Inventory, KnownPack } from './inventory.ts'

/** Trees walked at once, so that one which waits for a page does not keep the others back. */
const TREES_AT_ONCE = 4

interface Tree {
  snapshot: string
  source: SnapshotSourceRecord
}

/** Ids of the snapshots that something is wrong with. What it is becomes findings. */
export async function walkTrees(
  work: CheckWork,
  sessions: CheckSessions,
  snapshots: readonly Pick<SnapshotInfo, 'id' | 'record'>[],
  bad: readonly BadPlaces[],
): Promise<Set<string>> {
  await Promise.all(sessions.list.map((session) => session.call('bad', bad)))
  const trees = snapshots.flatMap(({ id, record }) => record.sources.map((source) => ({ snapshot: id, source })))
  const unsound = new Set<string>()
  const walk = async (tree: Tree): Promise<void> => {
    const problems = await walkTree(sessions, tree.source)
    for (const problem of problems) work.findings.addProblem(problem, tree.snapshot, tree.source.name)
    if (problems.length > 0) unsound.add(tree.snapshot)
  }
  // The first one alone: the others share most pages with it, and pass by what was found sound.
  const [first, ...others] = trees
  if (first) await walk(first)
  for await (const _ of mapBounded(others, TREES_AT_ONCE, walk, work.signal));
  return unsound
}

async function walkTree(sessions: CheckSessions, source: SnapshotSourceRecord): Promise<TreeProblem[]> {
  const root = treeRoot(source)
  const [pages, facts] = await Promise.all([root ? walkPages(sessions, root) : [], walkFacts(sessions, source)])
  return [...pages, ...facts]
}

async function walkPages(sessions: CheckSessions, root: TreeRoot): Promise<TreeProblem[]> {
  const { level } = root
  const session = sessions.of(root.id)
  if (level === 0) return (await session.call<WalkAnswer>('walk', { pages: [root], level })).problems
  const { pages, problems } = await session.call<ChildrenAnswer>('children', { pages: [root], level })
  const shares = sessions.list.map((each) => ({
    session: each,
    pages: pages.filter(({ id }) => sessions.of(id) === each),
  }))
  const answers = await Promise.all(
    shares
      .filter((share) => share.pages.length > 0)
      .map((share) => share.session.call<WalkAnswer>('walk', { pages: share.pages, level: level - 1 })),
  )
  return [...problems, ...answers.flatMap((answer) => answer.problems)]
}

/** Facts too large for the snapshot are a chunk of their own. */
async function walkFacts(sessions: CheckSessions, { factsRef }: SnapshotSourceRecord): Promise<TreeProblem[]> {
  if (!factsRef) return []
  const id = new Uint8Array(Buffer.from(factsRef.id, 'base64url'))
  return (await sessions.of(id).call<WalkAnswer>('single', { id, rawBytes: factsRef.rawBytes })).problems
}

/** The packs that the walks so far have come to. */
export async function neededPacks(sessions: CheckSessions, inventory: Inventory): Promise<Set<KnownPack>> {
  const needed = new Set<KnownPack>()
  for (const session of sessions.list) {
    for (const pack of inventory.flagged(await session.call<Uint8Array[]>('needed', null))) needed.add(pack)
  }
  return needed
}
