/** Findings as a check gathers them: one for each object, with all that it costs added up. */
import type { Json } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { TreeProblem } from '../../workers/verify/problems.ts'

const RESTORE_IT = 'Restore the object from a copy of the repository; without one, forget the snapshots it affects.'
const MAX_PATHS = 5
/** More are counted in one more finding: a repository that lost everything must not fill the memory. */
const MAX_FINDINGS = 1000

/** What is wrong with an object, before it is known what that costs. */
export interface Trouble {
  code: string
  message: string
  severity?: Finding['severity']
  fix?: string
  details?: Readonly<Record<string, Json>>
}

interface Draft {
  trouble: Trouble
  object?: string
  snapshots: Set<string>
  entries: number
  bytes: number
  paths: string[]
}

export class Findings {
  /** What was seen of objects themselves, by key; and what is wrong without one, by code and message. */
  private readonly drafts = new Map<string, Draft>()
  /** Troubles that become findings once something needs the object. */
  private readonly latent = new Map<string, Trouble>()
  private readonly fromTrees = new Set<string>()

  add(object: string | undefined, trouble: Trouble): void {
    this.draft(object, trouble).trouble = trouble
    this.fromTrees.delete(keyOf(object, trouble))
  }

  /** Known to be wrong with this object, but worth a finding only if a chosen snapshot needs it. */
  suspect(object: string, trouble: Trouble): void {
    this.latent.set(object, trouble)
  }

  addDamaged(
    key: string | undefined,
    { code, message }: { code: string; message: string },
    severity: Finding['severity'],
  ): void {
    this.add(key, { code, message, severity })
  }

  /** What a walk found: joined with what is known of the same object. */
  addProblem({ code, object, message, entries, bytes, paths }: TreeProblem, snapshot: string, source: string): void {
    const known = this.drafts.has(keyOf(object, { code, message }))
    const trouble = (object !== undefined && this.latent.get(object)) || { code, message }
    const draft = this.draft(object, trouble)
    if (!known) this.fromTrees.add(keyOf(object, { code, message }))
    draft.snapshots.add(snapshot)
    draft.entries += entries
    draft.bytes += bytes
    for (const path of paths) if (draft.paths.length < MAX_PATHS) draft.paths.push(`${source}/${path}`)
  }

  /** There is nothing wrong with it after all. */
  forget(object: string): void {
    this.drafts.delete(object)
    this.fromTrees.delete(object)
  }

  /** Forgets what walks found: they are about to be made again, knowing more. */
  resetProblems(): void {
    for (const key of this.fromTrees) this.drafts.delete(key)
    this.fromTrees.clear()
    for (const draft of this.drafts.values())
      Object.assign(draft, { snapshots: new Set(), entries: 0, bytes: 0, paths: [] })
  }

  get sound(): boolean {
    return [...this.drafts.values()].every(({ trouble }) => (trouble.severity ?? 'error') !== 'error')
  }

  /** Every one, the worst first. */
  all(): Finding[] {
    return [...this.drafts.values()]
      .map(toFinding)
      .sort((a, b) => RANK[a.severity] - RANK[b.severity] || (b.affects?.entries ?? 0) - (a.affects?.entries ?? 0))
  }

  /** The same for people: of many only the worst. */
  list(): Finding[] {
    const all = this.all()
    if (all.length <= MAX_FINDINGS) return all
    const omitted = all.splice(MAX_FINDINGS)
    const { severity } = omitted[0]!
    const message = `${omitted.length} more findings are left out.`
    return [...all, { code: 'FINDINGS_OMITTED', severity, message, details: { count: omitted.length } }]
  }

  private draft(object: string | undefined, trouble: Trouble): Draft {
    const key = keyOf(object, trouble)
    const known = this.drafts.get(key)
    if (known) return known
    const made: Draft = { trouble, ...(object && { object }), snapshots: new Set(), entries: 0, bytes: 0, paths: [] }
    this.drafts.set(key, made)
    return made
  }
}

const RANK: Readonly<Record<Finding['severity'], number>> = { error: 0, warning: 1, info: 2 }

function keyOf(object: string | undefined, { code, message }: Trouble): string {
  return object ?? `${code} ${message}`
}

function toFinding({ trouble, object, snapshots, entries, bytes, paths }: Draft): Finding {
  const { code, message, severity = 'error', fix = severity === 'info' ? undefined : RESTORE_IT } = trouble
  const details = { ...trouble.details, ...(paths.length > 0 && { paths }) }
  return {
    code,
    severity,
    message,
    ...(fix !== undefined && { fix }),
    ...(object !== undefined && { object }),
    ...(severity !== 'info' && { affects: { snapshots: [...snapshots].sort(), entries, bytes } }),
    ...(Object.keys(details).length > 0 && { details }),
  }
}
