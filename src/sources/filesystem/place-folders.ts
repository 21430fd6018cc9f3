/**
 * The folders below a restore's root. A path from a repository is hostile until proved otherwise: it must not leave the
 * root by its text, nor through a link. Node has no openat, so each folder on the way is looked at once, before anything
 * is put into it, and remembered: this run itself never takes a folder away again.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { isSafePath, userToLatin1 } from '../../util/paths.ts'
import type { PlacePlan } from '../sink.ts'
import { refuseOtherCase } from './place-case.ts'
import { placeError, placeFailure } from './place-errors.ts'
import { nativePath, S_IFDIR, S_IFLNK, S_IFMT, systemCode } from './stat.ts'

/** Told of everything that is made, relative to the root, in latin1. A folder comes before what it holds. */
export type OnCreate = (path: string, isDirectory: boolean) => void

// A drive, a stream of a file, or another separator; and what Windows strips from the end of a name.
const UNSAFE_ON_WINDOWS = /[\\:*?"<>|]|[. ](?:\/|$)/

/** Throws RESTORE_UNSAFE_PATH unless the relative path stays below its root by its text. latin1. */
export function checkPlaceable(path: string, platform: NodeJS.Platform = process.platform): void {
  if (isSafePath(path) && !(platform === 'win32' && UNSAFE_ON_WINDOWS.test(path))) return
  throw placeError(
    'RESTORE_UNSAFE_PATH',
    path,
    'a path that leaves the folder, or that no folder can hold, is not restored',
  )
}

/** Everything before the last '/': '' for the root itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export class PlaceFolders {
  /** latin1, absolute, without a '/' at its end. */
  readonly root: string
  private readonly becomes: string | undefined
  private readonly known = new Set<string>()
  private readonly created: OnCreate
  private lastParent: string | undefined
  /** Of a root that is to be renamed: so it is known again. */
  private identity: string | undefined

  constructor({ root, becomes }: Pick<PlacePlan, 'root' | 'becomes'>, created: OnCreate) {
    this.root = withoutEndSlash(root)
    this.becomes = becomes === undefined ? undefined : withoutEndSlash(becomes)
    this.created = created
  }

  /** Where the root is by now. Nothing is ever taken away from a folder that only has its name. */
  locate(): string | undefined {
    const { root, becomes, identity } = this
    if (becomes === undefined) return root
    return [root, becomes].find((path) => identity !== undefined && identityOf(path) === identity)
  }

  /** Absolute, latin1. */
  absolute(path: string): string {
    return `${this.root}/${path}`
  }

  /** Checks the path, and that the folder it goes into is there; makes that where it is missing. */
  ready(path: string): void {
    checkPlaceable(path)
    const parent = parentOf(path)
    if (parent === this.lastParent) return
    this.open(parent)
    this.lastParent = parent
  }

  /** Makes sure of a folder (and those above it): a real one, not a link to one. `path` is checked already. */
  open(path: string): void {
    if (this.known.has(path)) return
    if (path === '') this.openRoot()
    else {
      this.open(parentOf(path))
      if (this.make(path)) this.created(path, true)
    }
    this.known.add(path)
  }

  /** The root may be named by a link: that is the user's own word. */
  private openRoot(): void {
    try {
      const made = mkdirSync(nativePath(this.root || '/'), { recursive: true, mode: 0o700 })
      if (made !== undefined) this.created('', true)
      if (this.becomes !== undefined) this.identity = identityOf(this.root)
    } catch (error) {
      throw placeFailure('make this folder', this.becomes ?? this.root, error)
    }
  }

  /** True if it was not there. Owner-only until its own mode is set, when all its content is there. */
  private make(path: string): boolean {
    const native = nativePath(this.absolute(path))
    try {
      mkdirSync(native, 0o700)
      return true
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw placeFailure('make this folder', path, error)
    }
    const stat = lstatSync(native, { bigint: true })
    const format = Number(stat.mode) & S_IFMT
    if (format === S_IFDIR) {
      refuseOtherCase(this.absolute(path), path, stat)
      return false
    }
    if (format === S_IFLNK)
      throw placeError('RESTORE_UNSAFE_PATH', path, 'a link stands where a folder should be', 'ELOOP')
    throw placeError('RESTORE_CONFLICT', path, 'something else stands where a folder should be', 'ENOTDIR')
  }
}

function withoutEndSlash(path: string): string {
  return userToLatin1(path).replace(/\/+$/, '')
}

function identityOf(path: string): string | undefined {
  const found = lstatSync(nativePath(path), { bigint: true, throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}
