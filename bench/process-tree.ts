/** What a process tree uses, from Linux' /proc. Elsewhere nothing is known, and the columns stay empty. */
import { readdirSync, readFileSync } from 'node:fs'

/** Ticks per second of /proc's CPU times: 100 on every Linux that Node runs on. */
const TICKS = 100

/** Undefined: the process is gone, or there is no /proc. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function children(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`)
    const lists = tasks.map((task) => read(`/proc/${pid}/task/${task}/children`) ?? '')
    return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  } catch {
    return []
  }
}

/**
 * Without those that have been forked and are not their own program yet: they still share the memory of their parent, which
 * would count twice. With a backup of 310 MB that starts `getfattr`, a sample showed 540 MB.
 */
function descendants(pid: number): number[] {
  const program = read(`/proc/${pid}/cmdline`)
  const own = children(pid).filter((child) => read(`/proc/${child}/cmdline`) !== program)
  return [pid, ...own.flatMap(descendants)]
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}

/**
 * Bytes resident now in a process and all below it. For a tree of one process this is the kernel's own high-water mark
 * (VmHWM), so no peak between two samples is lost. For several, resident sizes are added; pages that they share
 * (libraries) count for each of them, which is a few megabytes too much for pipelines.
 */
export function residentBytes(pid: number): number {
  const all = descendants(pid).map((id) => read(`/proc/${id}/status`) ?? '')
  const field = all.length === 1 ? 'VmHWM' : 'VmRSS'
  return all.reduce((sum, status) => sum + kilobytes(status, field) * 1024, 0)
}

/**
 * CPU milliseconds (user and system) of all children of this process that have ended and been waited for, with what they
 * waited for themselves. The difference around one child is exact and needs no sampling, as long as no other child ends
 * meanwhile.
 */
export function endedChildrenCpuMs(): number | undefined {
  const stat = read('/proc/self/stat')
  if (stat === undefined) return undefined
  // The second field is the program's name in brackets and may hold spaces; cutime and cstime are the 16th and 17th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS
}

/** CPU milliseconds (user and system) of a running process so far; 0 once it is gone. */
export function cpuMsOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return 0
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS
}
