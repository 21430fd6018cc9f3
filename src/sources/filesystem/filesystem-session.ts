import type { Json } from '../../errors.ts'
import type { ScanPlan, SourceContext, SourceEntry, SourceSession } from '../source.ts'
import { describeRoot } from './root-facts.ts'
import { scanEntries } from './scan-entries.ts'

/** One reading of file trees. Holds nothing open: what a tree is at one moment, only its file system could tell. */
export class FilesystemSession implements SourceSession {
  readonly scan: ScanPlan
  private readonly name: string
  private readonly paths: readonly string[]
  private readonly context: SourceContext

  constructor(name: string, paths: readonly string[], plan: ScanPlan, context: SourceContext) {
    this.name = name
    this.paths = paths
    this.scan = plan
    this.context = context
  }

  async describe(): Promise<Readonly<Record<string, Json>>> {
    const { include, exclude, xattrs = false } = this.scan
    const root = await describeRoot(this.scan)
    return { paths: this.paths, platform: process.platform, include, exclude, xattrs, root }
  }

  entries(): AsyncIterable<readonly SourceEntry[]> {
    const { signal } = this.context
    return scanEntries(this.scan, {
      signal,
      warn: (warning) => this.context.warn({ ...warning, path: `${this.name}/${warning.path}` }),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
