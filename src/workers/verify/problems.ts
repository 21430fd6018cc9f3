/** What is wrong with a tree, gathered by object: a lost pack that a hundred thousand entries need is one problem. */
import type { BackupError } from '../../errors.ts'

export interface TreeProblem {
  code: string
  /** Key of the stored object; absent where none can be named. */
  object?: string
  message: string
  entries: number
  bytes: number
  /** The first few entries it costs (of a damaged page: where it begins), relative to their source. */
  paths: string[]
}

/** What a problem costs. */
export interface Cost {
  entries: number
  bytes: number
  path?: string
}

const MAX_PATHS = 5

export class TreeProblems {
  private readonly byObject = new Map<string, TreeProblem>()
  /** Grows with each one added, so that a page knows whether there was one below it. */
  count = 0

  get list(): TreeProblem[] {
    return [...this.byObject.values()]
  }

  add({ code, message, details }: BackupError, { entries, bytes, path }: Cost): void {
    this.count++
    const object = typeof details.object === 'string' ? details.object : undefined
    const key = object ?? `${code} ${message}`
    const known = this.byObject.get(key)
    const problem = known ?? { code, message, ...(object && { object }), entries: 0, bytes: 0, paths: [] }
    if (!known) this.byObject.set(key, problem)
    problem.entries += entries
    problem.bytes += bytes
    if (path !== undefined && problem.paths.length < MAX_PATHS) problem.paths.push(path)
  }
}
