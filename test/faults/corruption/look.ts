/** What each verb makes of a damaged repository. Whatever must never be, wrong bytes above all, is thrown. */
import { BackupEngine, type EngineOptions, memoryTarget, type PruneResult, type Target } from '../../../src/index.ts'
import { type FakeClock, fakeClock } from '../../../src/testing/index.ts'
import { attempt, pathsOf, readBack, same } from './read-back.ts'
import { Files, KEY, type Objects, OPEN, OTHER_KEY, REMOVED_KEY, type Scene } from './scene.ts'

export const COLUMNS = [
  'open',
  'list',
  'verify: structure',
  'verify: data',
  'restore',
  'backup',
  'backup, verify: data',
  'repair',
  'prune',
] as const
export type Column = (typeof COLUMNS)[number]
export type Outcome = Partial<Record<Column, string>>

const LIMIT_MS = 60_000
/** Writers and prunes that died are waited for, by a clock of our own. */
const DEAD_MS = 180_000
const SECRET = 'not in any backup before'

/** Every verb meets the same damage, in a copy of its own. */
export async function lookAt(scene: Scene, objects: Objects): Promise<Outcome> {
  const look = new Look(scene, objects)
  const outcome: Outcome = { open: await within('open', look.open()) }
  if (!look.isOpen) return outcome
  const rest: Readonly<Record<Exclude<Column, 'open'>, () => Promise<string>>> = {
    list: () => look.list(),
    'verify: structure': () => look.verify('structure'),
    'verify: data': () => look.verify('data'),
    restore: () => look.restore(),
    backup: () => look.backup('structure'),
    'backup, verify: data': () => look.backup('data'),
    repair: () => look.repair(),
    prune: () => look.prune(),
  }
  for (const [column, run] of Object.entries(rest)) outcome[column as Column] = await within(column, run())
  return outcome
}

/** A call that hangs is as bad as a wrong byte. */
async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), LIMIT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export class Look {
  isOpen = false
  private key: EngineOptions['key'] = KEY
  private readonly scene: Scene
  private readonly objects: Objects
  /** What `restore` has got, as snapshot and path. */
  private readonly readable = new Set<string>()
  private readonly clock: FakeClock = fakeClock(new Date())

  constructor(scene: Scene, objects: Objects) {
    this.scene = scene
    this.objects = objects
  }

  /** Where the first key opens nothing, the second one is tried. */
  async open(): Promise<string> {
    const removed = await codeOf(async () => (await this.engine({ key: REMOVED_KEY })).close())
    if (removed === undefined) throw new Error('a key that was removed opens it')
    const code = await codeOf(async () => (await this.engine()).close())
    this.isOpen = code === undefined
    if (code === undefined) return 'ok'
    const other = await codeOf(async () => (await this.engine({ key: OTHER_KEY })).close())
    this.isOpen = other === undefined
    this.key = OTHER_KEY
    return refused(other === undefined ? [`${code} (another key opens)`] : [code, other])
  }

  async list(): Promise<string> {
    await using engine = await this.engine()
    const codes = new Set<string>()
    const listed = await attempt(codes, async () => (await engine.snapshots().toArray()).map(({ id }) => id))
    for (const [id, contents] of this.scene.snapshots) {
      const entries = await attempt(codes, () => engine.entries({ snapshot: id, recursive: true }).toArray())
      if (entries) same(`entries of ${id}`, entries.map(({ path }) => path).sort(), pathsOf(contents))
    }
    const lacking = listed && [...this.scene.snapshots.keys()].filter((id) => !listed.includes(id))
    if (lacking && lacking.length > 0 && codes.size === 0)
      throw new Error('a snapshot is not listed, and nothing says so')
    return codes.size > 0 ? refused(codes) : 'ok'
  }

  async verify(level: 'structure' | 'data'): Promise<string> {
    await using engine = await this.engine()
    const codes = new Set<string>()
    const result = await attempt(codes, () => engine.verify({ level }))
    if (!result) return refused(codes)
    const found = new Set(result.findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code))
    return found.size === 0 ? 'ok' : `found ${list(found)}`
  }

  async restore(): Promise<string> {
    await using engine = await this.engine()
    const codes = await readBack(engine, this.scene.snapshots, this.readable)
    return codes.size === 0 ? 'exact' : `rest exact; refused ${list(codes)}`
  }

  /** A fresh process; a source that is as it was, and one all of which is read again and has changed a little. */
  async backup(verify: 'structure' | 'data'): Promise<string> {
    const { files } = this.scene
    const changed = new Files(files.contents())
    changed.set('sub/file-3', SECRET)
    const outcomes = [await this.backupOnce(verify, files), await this.backupOnce(verify, changed)]
    return [...new Set(outcomes)].sort().join(' | ')
  }

  private async backupOnce(verify: 'structure' | 'data', files: Files): Promise<string> {
    const target = await this.copy()
    const codes = new Set<string>()
    await using engine = await this.engine({ target, sources: [files.source] })
    const made = await attempt(codes, () => engine.backup({ verify }))
    if (!made) return refused(codes)
    await using reader = await this.engine({ target, create: 'never' })
    const bad = await readBack(reader, new Map([[made.snapshot.id, files.contents()]]))
    return bad.size === 0 ? 'exact' : `exact but for ${list(bad)}`
  }

  /** Nobody has the files any more, and no mirror is there. Then what is lost is dropped. */
  async repair(): Promise<string> {
    const target = await this.copy()
    await using engine = await this.engine({ target })
    const codes = new Set<string>()
    const plan = await attempt(codes, () => engine.planRepair())
    if (!plan) return refused(codes)
    const steps = new Set(plan.steps.map(({ action }) => action))
    if (steps.size === 0 && plan.findings.every(({ severity }) => severity === 'info')) return 'nothing to do'
    const drop = { drop: true, confirm: plan.digest, deadRunMs: DEAD_MS }
    const done = await attempt(codes, () => this.clock.until(engine.repair(plan, drop)))
    if (!done) return refused(codes)
    return `${steps.size === 0 ? 'nothing to do' : list(steps)}${await this.afterRepair(target, done.state)}`
  }

  private async afterRepair(target: Target, state: 'done' | 'pending'): Promise<string> {
    await using engine = await this.engine({ target })
    const { findings } = await engine.verify({ level: 'data' })
    const left = new Set(findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code))
    const listed = new Map(
      (await engine.snapshots().toArray()).map((each) => [each.rewrittenFrom?.snapshot ?? each.id, each]),
    )
    let lost = 0
    for (const [id, contents] of this.scene.snapshots) {
      const now = listed.get(id)
      const kept =
        now && (await engine.entries({ snapshot: now.id, recursive: true }).toArray()).map(({ path }) => path)
      const left = [...contents].filter(([path]) => kept?.includes(`files/${path}`))
      if (now) for (const code of await readBack(engine, new Map([[now.id, new Map(left)]]))) throw new Error(code)
      if (left.length < contents.size) lost++
    }
    const parts = [
      ...(state === 'pending' ? ['pending'] : []),
      ...(lost > 0 ? ['drops what is lost'] : []),
      ...(left.size > 0 ? [`leaves ${list(left)}`] : []),
    ]
    return parts.length > 0 ? `; ${parts.join('; ')}` : ''
  }

  /** Whatever could be restored before can be afterwards. */
  async prune(): Promise<string> {
    const target = await this.copy()
    const codes = new Set<string>()
    const result = await this.pruned(target, codes)
    const after = new Set<string>()
    await using engine = await this.engine({ target })
    await readBack(engine, this.scene.snapshots, after)
    for (const path of this.readable) if (!after.has(path)) throw new Error(`a prune took ${path} away`)
    if (!result) return refused(codes)
    return result.state === 'done' ? 'ok' : 'waits'
  }

  private async pruned(target: Target, codes: Set<string>): Promise<PruneResult | undefined> {
    await using engine = await this.engine({ target })
    return await attempt(codes, async () => {
      const plan = await engine.planPrune()
      const options = { confirm: plan.digest, deadRunMs: DEAD_MS }
      return this.clock.until(engine.prune(plan, options))
    })
  }

  private async engine(over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
    const target = over.target ?? (await this.copy())
    return BackupEngine.open({
      ...OPEN,
      key: this.key,
      create: 'never',
      sources: [],
      clock: this.clock,
      ...over,
      target,
    })
  }

  private async copy(): Promise<ReturnType<typeof memoryTarget>> {
    const target = memoryTarget()
    for (const [key, bytes] of this.objects) await target.put(key, new Uint8Array(bytes))
    return target
  }
}

async function codeOf(run: () => Promise<unknown>): Promise<string | undefined> {
  const codes = new Set<string>()
  await attempt(codes, run)
  return [...codes][0]
}

function refused(codes: Iterable<string>): string {
  return `refused ${list(codes)}`
}

function list(codes: Iterable<string>): string {
  return [...new Set(codes)].sort().join(', ')
}
