/** Guards the shape of `src`: who may import whom, and how long a file may be. Why the table is as it is: docs/design.md. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const MAX_LINES = 300

/**
 * What a folder may import beside its own files and `errors.ts`. 'x/' is all of a folder, 'x/y.ts' one file of it, and
 * 'type …' allows `import type` only, which leaves nothing at run time. The narrowest that holds: an allowance that
 * nobody uses is to be taken out.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'index.ts': [
    'events.ts',
    'engine/',
    'repository/key-slots-key.ts',
    'sources/',
    'targets/',
    'transforms/',
    'util/abort.ts',
    'util/clock.ts',
    'workers/threads/pool.ts',
  ],
  'errors.ts': [],
  // The payload of `backup:complete` is the result of the verb, whose type lives with the verb.
  'events.ts': ['type engine/types/index.ts'],
  'util/': [],
  'model/': ['util/'],
  'crypto/': ['util/'],
  // The gear table is derived from a secret.
  'chunking/': ['crypto/derive.ts'],
  // The version that `defineTransform` stamps.
  'transforms/': ['crypto/aead.ts', 'util/plugin.ts'],
  // A pack's name is the hash of its bytes: which of two copies is sound.
  'targets/': ['type events.ts', 'crypto/hash.ts', 's3/', 'util/'],
  // Connections to buckets, for targets and sources alike.
  's3/': ['util/'],
  // What `holdfast/s3` gives.
  's3.ts': ['s3/', 'sources/s3/', 'targets/s3/'],
  // Random bytes in the names of files that are not whole yet.
  'sources/': ['type events.ts', 'crypto/hash.ts', 'crypto/random.ts', 'model/', 's3/', 'util/'],
  // Workers read and write files themselves: a file's bytes never pass through the main thread.
  'workers/': [
    'type events.ts',
    'chunking/',
    'crypto/',
    'model/',
    'sources/filesystem/',
    'type sources/sink.ts',
    'type sources/source.ts',
    'transforms/',
    'util/',
  ],
  'repository/': [
    'type events.ts',
    'chunking/profiles.ts',
    'crypto/',
    'model/',
    'type targets/target.ts',
    'type transforms/transform.ts',
    'transforms/spec.ts',
    'util/',
    'workers/',
  ],
  // Ids of runs, digests of plans, and ZIPs are the only cryptography that the engine touches itself.
  'engine/': [
    'type events.ts',
    // An encrypted ZIP is read where the rest of it is.
    'crypto/age.ts',
    'crypto/hash.ts',
    'crypto/random.ts',
    'model/',
    'repository/',
    'type sources/source.ts',
    'type sources/sink.ts',
    'sources/filesystem/folder.ts',
    'type targets/target.ts',
    // What a doctor tries for real.
    'targets/probe.ts',
    // Each retry is an event of the run that it belongs to.
    'targets/wrappers/retrying.ts',
    'transforms/',
    'util/',
    'workers/',
  ],
  // Proofs of streams, as workers make them. `testEngine` loads the engine when it is called, with keys that only it can make.
  'testing/': [
    'crypto/hash.ts',
    'engine/engine.ts',
    'type engine/types/index.ts',
    'type events.ts',
    'repository/key-slots-key.ts',
    'sources/sink.ts',
    'sources/source.ts',
    'targets/memory.ts',
    'targets/target.ts',
    'type transforms/transform.ts',
    'util/',
  ],
}

interface Import {
  from: string
  to: string
  typeOnly: boolean
}

const files = tsFiles('src')
const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, 'src', file), 'utf8')]))
const imports = files.flatMap(importsOf)

describe('the house', () => {
  it('has a rule for every folder', () => {
    const without = [...new Set(files.map(partOf))].filter((part) => !(part in MAY_IMPORT))
    expect(without, 'Say in MAY_IMPORT what these may import').toEqual([])
  })

  it('imports only what the table allows', () => {
    const wrong = imports.filter((one) => !allowed(one)).map(sayForbidden)
    expect(wrong, 'Move the code to where it belongs, or change the table and say why in docs/design.md').toEqual([])
  })

  it('allows nothing that nobody needs', () => {
    const rules = Object.entries(MAY_IMPORT).flatMap(([part, list]) => list.map((rule) => ({ part, rule })))
    const unused = rules.filter(
      ({ part, rule }) => !imports.some((one) => partOf(one.from) === part && fits(rule, one)),
    )
    expect(unused, 'Take these out of MAY_IMPORT').toEqual([])
  })

  it('has no cycle between folders at run time', () => {
    const cycle = findCycle(imports.filter((one) => !one.typeOnly).map((one) => [partOf(one.from), partOf(one.to)]))
    expect(cycle, 'Each folder of this round needs the next one').toEqual([])
  })

  it('has no cycle between files at run time', () => {
    const cycle = findCycle(imports.filter((one) => !one.typeOnly).map((one) => [one.from, one.to]))
    expect(cycle, 'Each file of this round needs the next one; move what both need into a third').toEqual([])
  })

  it('keeps node:crypto inside src/crypto', () => {
    const users = using(/['"](node:)?crypto['"]|\bcrypto\.(subtle|getRandomValues|randomUUID)\b/)
    expect(
      users.filter((file) => partOf(file) !== 'crypto/'),
      'Put it into src/crypto and import that',
    ).toEqual([])
  })

  it('writes nothing to the console', () => {
    expect(using(/\bconsole\.\w+\(|\bprocess\.std(out|err)\b/), 'The host owns the console: use the logger').toEqual([])
  })

  it('exports from index.ts and does nothing else there', () => {
    const text = texts.get('index.ts')!.replace(/\/\*[\s\S]*?\*\//g, '')
    const rest = text.replace(/^export (type )?(\{[^}]*\}|\*) from '\.[^']+'$/gm, '').trim()
    expect(rest, 'index.ts is the list of what is public: only `export … from`').toBe('')
  })

  it(`has no file above ${MAX_LINES} lines`, () => {
    const all = ['src', 'test', 'bench', 'scripts', 'examples'].flatMap((top) =>
      tsFiles(top).map((file) => `${top}/${file}`),
    )
    const long = all.map((file) => `${file}: ${lines(file)}`).filter((line) => Number(line.split(': ')[1]) > MAX_LINES)
    expect(long, 'Split these').toEqual([])
  })
})

describe('the guard itself', () => {
  it('sees every kind of import', () => {
    const text =
      "import a from './a.ts'\nexport type { B } from '../b.ts'\nimport {\n  c,\n} from './c.ts'\nawait import('./d.ts')\n"
    expect(specifiers(text)).toEqual([
      { to: './a.ts', typeOnly: false },
      { to: '../b.ts', typeOnly: true },
      { to: './c.ts', typeOnly: false },
      { to: './d.ts', typeOnly: false },
    ])
  })

  it('refuses a layer above, a value where only the type is allowed, and finds a round', () => {
    expect(allowed({ from: 'targets/memory.ts', to: 'engine/engine.ts', typeOnly: true })).toBe(false)
    expect(allowed({ from: 'engine/verbs.ts', to: 'targets/target.ts', typeOnly: false })).toBe(false)
    expect(allowed({ from: 'engine/verbs.ts', to: 'targets/target.ts', typeOnly: true })).toBe(true)
    expect(
      findCycle([
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'b'],
      ]),
    ).toEqual(['b', 'c'])
  })
})

function tsFiles(top: string): string[] {
  const names = readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.ts')).sort()
}

function lines(file: string): number {
  return readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length
}

function using(pattern: RegExp): string[] {
  return files.filter((file) => pattern.test(withoutComments(texts.get(file)!)))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

function importsOf(from: string): Import[] {
  const relative = specifiers(texts.get(from)!).filter(({ to }) => to.startsWith('.'))
  return relative.map(({ to, typeOnly }) => ({ from, to: normalize(join(dirname(from), to)), typeOnly }))
}

function specifiers(text: string): { to: string; typeOnly: boolean }[] {
  const found = text.matchAll(/^(?:import|export)(\s+type\b)?(?:[^'"`;]*?\bfrom)?\s*'([^']+)'|\bimport\('([^']+)'\)/gm)
  return [...found].map(([, type, fixed, lazy]) => ({ to: (fixed ?? lazy)!, typeOnly: type !== undefined }))
}

/** 'engine/' for 'engine/backup/run-backup.ts'; a file at the top stands for itself. */
function partOf(file: string): string {
  const slash = file.indexOf('/')
  return slash < 0 ? file : file.slice(0, slash + 1)
}

function allowed(one: Import): boolean {
  const part = partOf(one.from)
  if (part === partOf(one.to) || one.to === 'errors.ts') return true
  return (MAY_IMPORT[part] ?? []).some((rule) => fits(rule, one))
}

function fits(rule: string, { to, typeOnly }: Import): boolean {
  const [place, onlyTypes] = rule.startsWith('type ') ? [rule.slice(5), true] : [rule, false]
  return (place.endsWith('/') ? to.startsWith(place) : to === place) && (typeOnly || !onlyTypes)
}

function sayForbidden({ from, to, typeOnly }: Import): string {
  const rules = MAY_IMPORT[partOf(from)]?.join(', ') || 'nothing but errors.ts'
  return `src/${from} imports ${typeOnly ? 'a type of ' : ''}src/${to}; ${partOf(from)} may import: ${rules}`
}

/** The nodes of one round, or none. */
function findCycle(edges: readonly (readonly [string, string])[]): string[] {
  const next = new Map<string, Set<string>>()
  for (const [from, to] of edges) if (from !== to) next.set(from, (next.get(from) ?? new Set()).add(to))
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): string[] => {
    if (path.includes(node)) return path.slice(path.indexOf(node))
    if (done.has(node)) return []
    path.push(node)
    for (const to of next.get(node) ?? []) {
      const cycle = visit(to)
      if (cycle.length > 0) return cycle
    }
    path.pop()
    done.add(node)
    return []
  }
  for (const node of next.keys()) {
    const cycle = visit(node)
    if (cycle.length > 0) return cycle
  }
  return []
}
