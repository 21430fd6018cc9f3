/** What is in the generated tree: every path, kind, size and seed, before a byte is written. */
import { MEDIA_FORMATS, type MediaFormat } from './media.ts'
import { mixSeed, Random } from './random.ts'
import { makeWord } from './words.ts'

export type ContentKind = 'code' | 'prose' | 'json' | 'log' | 'database' | 'archive' | MediaFormat

export interface PlannedFile {
  readonly type: 'file'
  readonly path: string
  readonly kind: ContentKind
  /** Bytes; before scaling a fraction is possible. */
  size: number
  /** Files with equal kind, size, seed and project have equal content: that is how copies are made. */
  readonly seed: number
  readonly project: number
  readonly mode: number
  /** Seconds since 1970. */
  readonly modifiedAt: number
}

export interface PlannedLink {
  readonly type: 'symlink' | 'hardlink'
  readonly path: string
  /** A symlink's text, or the path in the tree that a hard link shares. */
  readonly to: string
}

export type PlannedItem = PlannedFile | PlannedLink

export interface TreeOptions {
  /** Files and links together. */
  readonly files: number
  /** Sum of the sizes of all files. */
  readonly bytes: number
  readonly seed: number
}

/** Shares of the bytes; the rest is text: code, documents, JSON and copies of them. */
const BIG: readonly (readonly [path: string, kind: ContentKind, share: number])[] = [
  ['var/db/main.db', 'database', 0.1],
  ['var/export/images.zip', 'archive', 0.075],
  ['var/log/app.log', 'log', 0.05],
]
const MEDIA_SHARE = 0.125
const EXTENSION = { code: 'ts', prose: 'md', json: 'json', log: 'log', database: 'db', archive: 'zip' } as const
const NEWEST = 1_770_000_000

class Planner {
  readonly items: PlannedItem[] = []
  readonly random: Random
  #names = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  /** A new name, unique in the whole tree. */
  name(): string {
    this.#names++
    return `${makeWord(this.random)}-${this.#names.toString(36)}`
  }

  file(folder: string, kind: ContentKind, size: number, project = this.random.below(1000)): void {
    const { random } = this
    const extension = kind in EXTENSION ? EXTENSION[kind as keyof typeof EXTENSION] : kind
    const path = `${folder}/${this.name()}.${extension}`
    this.add({ path, kind, size, project, seed: random.next(), mode: random.chance(0.04) ? 0o755 : 0o644 })
  }

  add(file: Omit<PlannedFile, 'type' | 'modifiedAt'>): void {
    // Old files are many, recent ones few; milliseconds as a real clock gives them.
    const age = this.random.below(1000) ** 2 * 100 + this.random.below(100_000) / 1000
    this.items.push({ type: 'file', ...file, modifiedAt: NEWEST - age })
  }
}

/** Median 4 KB with a heavy tail; one file in a hundred is empty. */
function textSize(random: Random): number {
  if (random.chance(0.01)) return 0
  return Math.min(Math.max(random.logNormal(4096, 1.4), 20), 6_000_000)
}

function planProject(planner: Planner, files: number, project: number): void {
  const { random } = planner
  const root = `projects/${planner.name()}`
  const folders = [`${root}/src`]
  for (let i = 0; i < files; i++) {
    if (random.chance(0.12) && folders.length < 60) {
      const parent = random.pick(folders)
      folders.push(parent.split('/').length < 9 ? `${parent}/${planner.name()}` : parent)
    }
    const dice = random.below(100)
    const kind = dice < 72 ? 'code' : dice < 86 ? 'prose' : 'json'
    planner.file(random.pick(folders), kind, textSize(random), project)
  }
}

function planProjects(planner: Planner, files: number): void {
  for (let left = files, project = 1; left > 0; project++) {
    const size = Math.min(left, planner.random.between(20, 500))
    planProject(planner, size, project)
    left -= size
  }
}

/** `count` files spread over folders of up to `perFolder` entries. */
function planFlat(planner: Planner, folder: string, count: number, perFolder: number, kind: () => ContentKind): void {
  const { random } = planner
  const small = folder === 'thumbnails'
  for (let i = 0; i < count; i++) {
    const chosen = kind()
    const isMedia = (MEDIA_FORMATS as string[]).includes(chosen)
    const size = small ? random.logNormal(6_000, 0.5) : isMedia ? random.logNormal(60_000, 1.2) : textSize(random)
    planner.file(`${folder}/${Math.floor(i / perFolder)}`, chosen, size)
  }
}

const isTextFile = (item: PlannedItem): item is PlannedFile => item.type === 'file' && item.path.startsWith('projects/')

/** Single files that were copied somewhere else. */
function planCopies(planner: Planner, count: number): void {
  const originals = planner.items.filter(isTextFile)
  for (let i = 0; i < count; i++) {
    const original = planner.random.pick(originals)
    planner.add({ ...original, path: `copies/${i % 40}/${i}-${original.path.split('/').at(-1)}` })
  }
}

/** Whole projects that were copied: the old version beside the new one. */
function planCopiedTrees(planner: Planner, count: number): void {
  const originals = planner.items.filter(isTextFile).slice(0, count)
  for (const original of originals) {
    planner.add({ ...original, path: original.path.replace('projects/', 'projects-old/') })
  }
}

function planLinks(planner: Planner, symlinks: number, hardlinks: number): void {
  const files = planner.items.filter(isTextFile)
  for (let i = 0; i < symlinks; i++) {
    const path = planner.random.pick(files).path
    const to = planner.random.chance(0.05) ? 'nowhere/at-all' : `../../${path}`
    planner.items.push({ type: 'symlink', path: `links/${i % 10}/${i}`, to })
  }
  for (let i = 0; i < hardlinks; i++) {
    planner.items.push({ type: 'hardlink', path: `shared/${i % 5}/${i}`, to: planner.random.pick(files).path })
  }
}

function scale(files: readonly PlannedFile[], bytes: number): void {
  const sum = files.reduce((total, file) => total + file.size, 0)
  for (const file of files) file.size = Math.round((file.size * bytes) / Math.max(sum, 1))
}

/** The whole tree; the same options give the same plan. */
export function planTree({ files, bytes, seed }: TreeOptions): PlannedItem[] {
  const planner = new Planner(mixSeed(seed, 1))
  const { random } = planner
  const part = (share: number): number => Math.round(files * share)
  planFlat(planner, 'mail', part(0.13), 2500, () => 'prose')
  planFlat(planner, 'documents', part(0.05), 150, () => 'prose')
  planFlat(planner, 'cache', part(0.09), 400, () => 'json')
  planFlat(planner, 'photos', part(0.035), 300, () => random.pick(MEDIA_FORMATS))
  planFlat(planner, 'thumbnails', part(0.03), 3500, () => 'jpg')
  const linked = [part(0.005), part(0.003)] as const
  const copied = [part(0.05), part(0.1)] as const
  const rest = files - planner.items.length - linked[0] - linked[1] - copied[0] - copied[1] - BIG.length
  planProjects(planner, rest)
  planCopies(planner, copied[0])
  planCopiedTrees(planner, copied[1])
  const planned = planner.items.filter((item) => item.type === 'file')
  const isMedia = (file: PlannedFile): boolean => (MEDIA_FORMATS as string[]).includes(file.kind)
  const textShare = 1 - MEDIA_SHARE - BIG.reduce((sum, [, , share]) => sum + share, 0)
  scale(planned.filter(isMedia), bytes * MEDIA_SHARE)
  scale(
    planned.filter((file) => !isMedia(file)),
    bytes * textShare,
  )
  for (const [path, kind, share] of BIG) {
    planner.add({ path, kind, size: Math.round(bytes * share), project: 0, seed: random.next(), mode: 0o640 })
  }
  planLinks(planner, linked[0], linked[1])
  return planner.items
}
