/** Options of backup(). */
import { z } from 'zod'
import type { Source } from '../../sources/source.ts'
import type { BackupOptions } from '../types/backup.ts'
import type { BackupDefaults } from '../types/engine.ts'
import { assertCompatible, invalidOption, parseOptions } from './index.ts'
import { callShape, list, oneOf, opt, pluginSchema, refSchema, text, wholeBytes } from './parts.ts'

export const sourceSchema = pluginSchema<Source>('a source, as filesystem() or defineSource() makes it', 'open').refine(
  (source) => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(String(source.name)),
  "must be a source whose name is 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'",
)

const MAX_LABELS = 64
const labels = z
  .record(text(128), text(1024, 0), `must be an object of at most ${MAX_LABELS} texts`)
  .refine((map) => Object.keys(map).length <= MAX_LABELS, `must be an object of at most ${MAX_LABELS} texts`)

/** What `defaults` of the engine may set, too. */
export const defaultsShape = {
  verify: opt(oneOf('structure', 'data', 'content', 'none')),
  onEntryError: opt(oneOf('fail', 'skip')),
  timeoutMs: callShape.timeoutMs,
  stallMs: callShape.stallMs,
  maxSourceBytes: opt(wholeBytes),
  maxStoredBytes: opt(wholeBytes),
}

const schema: z.ZodType<BackupOptions> = z.strictObject(
  {
    ...callShape,
    ...defaultsShape,
    sources: opt(list(z.union([text(64), sourceSchema], 'must be a name or a source'), 256)),
    name: opt(text(256)),
    description: opt(text(4096)),
    tags: opt(z.array(text(128), 'must be a list of at most 64').max(64, 'must be a list of at most 64')),
    labels: opt(labels),
    parent: opt(refSchema),
  },
  'must be an object',
)

/** Everything decided: defaults are filled in, names have become sources. */
export interface ParsedBackupOptions extends BackupOptions {
  sources: readonly Source[]
  tags: readonly string[]
  labels: Readonly<Record<string, string>>
  parent: NonNullable<BackupOptions['parent']>
  onEntryError: 'fail' | 'skip'
  verify: NonNullable<BackupOptions['verify']>
}

/** @throws BackupError INVALID_OPTIONS, also where there is nothing to back up */
export function parseBackupOptions(
  options: BackupOptions | undefined,
  engine: { sources: readonly Source[]; defaults: BackupDefaults },
): ParsedBackupOptions {
  const parsed = parseOptions(schema, options ?? {}, 'backup')
  const sources = chooseSources(parsed.sources, engine.sources)
  return {
    onEntryError: 'fail',
    verify: 'structure',
    parent: 'auto',
    labels: {},
    ...engine.defaults,
    ...parsed,
    tags: [...new Set(parsed.tags)],
    sources,
  }
}

/** Keys for `withRun({ exclusive })`: one source is never read by two runs at once. */
export function sourceKeys(sources: readonly Source[]): string[] {
  return sources.map((source) => `source:${source.name}`)
}

function chooseSources(chosen: BackupOptions['sources'], configured: readonly Source[]): readonly Source[] {
  const sources = chosen?.map((each) => (typeof each === 'string' ? sourceNamed(each, configured) : each)) ?? configured
  if (sources.length === 0)
    throw invalidOption('sources', 'given here, since the engine was opened without', undefined, 'backup')
  assertUniqueNames(sources, 'backup')
  for (const source of sources) assertCompatible(source)
  return sources
}

function sourceNamed(name: string, configured: readonly Source[]): Source {
  const source = configured.find((each) => each.name === name)
  if (source) return source
  const names = configured.map((each) => `'${each.name}'`).join(', ')
  throw invalidOption(
    'sources',
    `a source of this engine (${names || 'it has none'}) or a source object`,
    name,
    'backup',
  )
}

/** The name is the first part of every path: two of one name could not be told apart. */
export function assertUniqueNames(sources: readonly Source[], verb: string): void {
  const names = sources.map((source) => source.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw invalidOption('sources', 'sources of different names', twice, verb)
}
