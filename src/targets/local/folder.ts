/** The folder of a local target: paths of keys, folders made once, what makes a change of a folder durable. */
import { type BigIntStats, constants } from 'node:fs'
import { lstat, mkdir, open, opendir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BackupError } from '../../errors.ts'
import { checkKey } from '../checks.ts'
import { errnoOf, ignore } from './errno.ts'
import { RESERVE, Reserve } from './reserve.ts'

/** Where objects lie until they are whole. Inside the root, since a rename must stay within one file system. */
const TEMPORARY = '.tmp'
/** First segments that are not ours to use for keys: our own, and what ext4 puts at the root of a disk. */
const RESERVED: ReadonlySet<string> = new Set([TEMPORARY, RESERVE, 'lost+found'])
/** No put takes a day, so a temporary file of that age belongs to a process that died. */
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000
const FOLDER_MODE = 0o700

export class LocalFolder {
  readonly root: string
  readonly fsync: boolean
  readonly reserve: Reserve
  /** Folders that exist and are durable, or are being made: so a put need not ask again. */
  readonly #known = new Map<string, Promise<void>>()
  #identity: BigIntStats | undefined
  #temporaries = 0

  constructor(root: string, fsync: boolean) {
    this.root = root
    this.fsync = fsync
    this.reserve = new Reserve(root)
  }

  pathOf(key: string): string {
    checkKey(key)
    if (!this.holdsObjects(key)) {
      throw new BackupError(
        'INVALID_OPTIONS',
        `the key ${key} begins with a name that a local target keeps for itself`,
        {
          origin: 'usage',
          details: { key, reserved: [...RESERVED] },
        },
      )
    }
    return join(this.root, key)
  }

  /** False for what lies in the root but is, or holds, no objects: `path` is relative and may be a folder. */
  holdsObjects(path: string): boolean {
    return !isReserved(path.split('/', 1)[0]!)
  }

  /** Makes the folder, and those above it, if need be. */
  ready(folder: string): Promise<void> {
    const known = this.#known.get(folder)
    if (known !== undefined) return known
    const made = folder === this.root ? this.#makeRoot() : this.#make(folder)
    this.#known.set(folder, made)
    made.catch(() => this.#known.delete(folder))
    return made
  }

  /** A path for a new temporary file that no other put, process or machine uses. Its folder exists. */
  async temporaryPath(): Promise<string> {
    const folder = join(this.root, TEMPORARY)
    await this.ready(folder)
    const random = Math.random().toString(36).slice(2)
    return join(folder, `${process.pid}-${Date.now().toString(36)}-${this.#temporaries++}-${random}`)
  }

  /** Makes created, renamed and removed names in this folder survive a power cut. */
  async sync(folder: string): Promise<void> {
    // Windows cannot open a folder for that, and needs it less: NTFS logs names in order.
    if (!this.fsync || process.platform === 'win32') return
    const handle = await open(folder, constants.O_RDONLY)
    try {
      // Network file systems that cannot sync a folder say so; there is nothing better to be had.
      await handle.sync().catch(ignore('EINVAL', 'ENOTSUP', 'EOPNOTSUPP'))
    } finally {
      await handle.close()
    }
  }

  /**
   * To be called when a folder that was there is gone: it may be made again, but only inside the very same root. If the
   * root itself went away (a disk was unmounted), making it again would fill the disk below the mount point.
   */
  async forgetFolders(): Promise<void> {
    const now = await stat(this.root, { bigint: true }).catch(ignore('ENOENT', 'ENOTDIR'))
    const before = this.#identity
    if (before !== undefined && (now === undefined || now.dev !== before.dev || now.ino !== before.ino)) {
      throw new BackupError('TARGET_NOT_FOUND', `the folder ${this.root} went away while it was in use`, {
        origin: 'target',
        details: { path: this.root },
        hint: 'Check that its disk is still mounted.',
      })
    }
    this.#known.clear()
  }

  async #makeRoot(): Promise<void> {
    const first = await mkdir(this.root, { recursive: true, mode: FOLDER_MODE })
    if (first !== undefined) await this.#syncAncestors(first)
    this.#identity = await stat(this.root, { bigint: true })
  }

  /** Above the root a folder may be searchable but not readable: then it cannot be opened, and that is no failure. */
  async #syncAncestors(first: string): Promise<void> {
    for (let folder = this.root; folder !== dirname(folder); folder = dirname(folder)) {
      await this.sync(dirname(folder)).catch(ignore('EACCES', 'EPERM'))
      if (folder === first) return
    }
  }

  async #make(folder: string): Promise<void> {
    await this.ready(dirname(folder))
    await mkdir(folder, { mode: FOLDER_MODE }).catch(ignore('EEXIST'))
    if (folder === join(this.root, TEMPORARY)) return await removeLeftovers(folder)
    // Also where it existed: whoever made it a moment ago may have died before it was durable.
    await this.sync(dirname(folder))
  }
}

function isReserved(segment: string): boolean {
  return RESERVED.has(segment.toLowerCase())
}

/** Best effort: what cannot be removed now is removed another day, and is no reason to fail a put. */
async function removeLeftovers(folder: string): Promise<void> {
  try {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name)
      const { mtimeMs } = await lstat(path)
      if (entry.isFile() && Date.now() - mtimeMs > LEFTOVER_AGE_MS) await unlink(path)
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}
