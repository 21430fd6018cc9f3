/** What endangers a repository in a folder of this machine, and shows in no call. */
import type { Stats, StatsFs } from 'node:fs'
import { realpath, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Finding } from '../../events.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { cleanerOf, isWithin, temporaryFolderOf } from './cleaners.ts'
import { errnoOf } from './errno.ts'

/** Below these, other disks are mounted by custom. */
const MOUNT_FOLDERS = ['/mnt', '/media', '/run/media', '/Volumes']
const OTHERS_MAY_WRITE = 0o002
const STICKY = 0o1000
/** Of all names that the file system can have. */
const FEW_INODES = 0.05
/** `f_type` of statfs, on Linux. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
])

/** For tests: where rules and disks are looked for. */
export interface FolderDoctorPlaces {
  readonly ruleFolders?: readonly string[]
  readonly mountFolders?: readonly string[]
}

interface Place {
  /** As it is, or will be when it is made. */
  readonly path: string
  /** The folder itself, or the nearest one above it that exists. */
  readonly found: string
  readonly stats: Stats
  readonly system: StatsFs
}

/** Changes nothing, not even where the folder does not exist yet. Rejects with what the system says. */
export async function examineFolder(
  folder: string,
  signal: AbortSignal,
  { ruleFolders, mountFolders = MOUNT_FOLDERS }: FolderDoctorPlaces = {},
): Promise<Finding[]> {
  throwIfAborted(signal)
  const found = await existing(folder)
  const real = await realpath(found)
  const path = join(real, relative(found, folder))
  const place = { path, found: real, stats: await stat(real), system: await statfs(real) }
  const lists = [
    await cleaned(place, ruleFolders),
    kindOfSystem(place),
    openToOthers(place),
    inodes(place),
    await notMounted(place, mountFolders),
  ]
  throwIfAborted(signal)
  return lists.flat()
}

async function existing(path: string): Promise<string> {
  try {
    await stat(path)
    return path
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || path === dirname(path)) throw error
    return await existing(dirname(path))
  }
}

const ELSEWHERE = 'Keep the repository in a folder that nothing else looks after, such as /var/backups.'

async function cleaned({ path }: Place, ruleFolders?: readonly string[]): Promise<Finding[]> {
  const rule = await cleanerOf(path, ruleFolders)
  if (rule) {
    const message = `systemd-tmpfiles empties ${rule.path}, where the repository lies, ${rule.when} (${rule.file}).`
    return [{ code: 'REPOSITORY_CLEANED', severity: 'error', message, fix: ELSEWHERE, details: { ...rule } }]
  }
  const temporary = temporaryFolderOf(path)
  if (temporary === undefined) return []
  const message = `The repository lies in ${temporary}, which systems empty at a start or after some days.`
  return [{ code: 'REPOSITORY_CLEANED', severity: 'error', message, fix: ELSEWHERE, details: { path, temporary } }]
}

function kindOfSystem({ path, system }: Place): Finding[] {
  const memory = IN_MEMORY.get(Number(system.type))
  if (memory !== undefined) {
    const message = `The repository lies in memory (${memory}): it is gone when the machine stops.`
    const fix = 'Keep the repository on a disk.'
    return [{ code: 'REPOSITORY_IN_MEMORY', severity: 'error', message, fix, details: { path, system: memory } }]
  }
  const network = NETWORK.get(Number(system.type))
  if (network === undefined) return []
  const message = `The repository lies on ${network}: how durable a write is, and whether creating once is atomic, is up to the server.`
  const fix = 'Export it with sync, mount it hard, and run probe() from every machine that writes.'
  return [{ code: 'NETWORK_FILE_SYSTEM', severity: 'info', message, fix, details: { path, system: network } }]
}

/** Encryption keeps others from reading; nothing but permissions keeps them from deleting. */
function openToOthers({ path, found, stats }: Place): Finding[] {
  if (path !== found || (stats.mode & OTHERS_MAY_WRITE) === 0 || (stats.mode & STICKY) !== 0) return []
  const mode = (stats.mode & 0o7777).toString(8)
  const message = `Every user of this machine may delete from the repository: ${path} has mode ${mode}.`
  return [{ code: 'REPOSITORY_OPEN', severity: 'warning', message, fix: `chmod 700 ${path}`, details: { path, mode } }]
}

function inodes({ path, system: { files, ffree } }: Place): Finding[] {
  // Zero: the file system makes them as they are needed.
  if (files === 0 || ffree / files >= FEW_INODES) return []
  const message = `The file system of ${path} has room for ${ffree} more files only, of ${files}.`
  const fix = 'Delete files there that nobody needs, or make the file system anew with more inodes.'
  return [{ code: 'INODES_LOW', severity: 'warning', message, fix, details: { path, free: ffree, all: files } }]
}

/** A disk that is not mounted leaves its empty folder behind, and a backup fills the disk below it. */
async function notMounted({ path, stats }: Place, mountFolders: readonly string[]): Promise<Finding[]> {
  const above = mountFolders.find((folder) => path !== folder && isWithin(path, folder))
  if (above === undefined) return []
  const holder = await stat(dirname(above)).catch(() => undefined)
  if (holder === undefined || holder.dev !== stats.dev) return []
  const message = `${path} is on the disk of ${dirname(above)}: the disk that is meant to be mounted below ${above} is not.`
  const fix = 'Mount it, or name a folder elsewhere if none is meant to be there.'
  return [{ code: 'DISK_NOT_MOUNTED', severity: 'warning', message, fix, details: { path, above } }]
}
