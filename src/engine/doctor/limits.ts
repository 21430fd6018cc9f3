/** What the system, or its container, lets this process have. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding } from '../../events.ts'

export interface Limits {
  /** Bytes; undefined: no limit but the machine's. */
  readonly memoryBytes?: number
  /** Bytes that can be had now. */
  readonly availableBytes: number
  /** Processors' worth of time; undefined: no limit. */
  readonly cpus?: number
  /** Files that may be open at once. */
  readonly openFiles?: number
}

/** A backup of 100,000 files takes some 300 MB at its peak, with the host's own beside it. */
const LEAST_MEMORY_BYTES = 512 * 2 ** 20
const LEAST_AVAILABLE_BYTES = 256 * 2 ** 20
const LEAST_OPEN_FILES = 256
/** No limit, as cgroups of the first version say it. */
const UNLIMITED_BYTES = 2 ** 50
const CGROUPS = '/sys/fs/cgroup'

export async function readLimits(): Promise<Limits> {
  const memory = process.constrainedMemory()
  const [cpus, openFiles] = await Promise.all([cpuQuota(), openFileLimit()])
  return {
    ...(memory > 0 && memory < UNLIMITED_BYTES && { memoryBytes: memory }),
    availableBytes: process.availableMemory(),
    ...(cpus !== undefined && { cpus }),
    ...(openFiles !== undefined && { openFiles }),
  }
}

/** `threads`: that the engine works with. */
export function limitFindings({ memoryBytes, availableBytes, cpus, openFiles }: Limits, threads: number): Finding[] {
  return [
    ...lowMemory(memoryBytes, availableBytes),
    ...(cpus !== undefined && cpus < threads ? [fewCpus(cpus, threads)] : []),
    ...(openFiles !== undefined && openFiles < LEAST_OPEN_FILES ? [fewFiles(openFiles)] : []),
  ]
}

const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20)

function lowMemory(memoryBytes: number | undefined, availableBytes: number): Finding[] {
  const isSmall = memoryBytes !== undefined && memoryBytes < LEAST_MEMORY_BYTES
  if (!isSmall && availableBytes >= LEAST_AVAILABLE_BYTES) return []
  const what = isSmall
    ? `This process may have ${mebibytes(memoryBytes)} MiB of memory`
    : `Only ${mebibytes(availableBytes)} MiB of memory are free`
  return [
    {
      code: 'MEMORY_LOW',
      severity: 'warning',
      message: `${what}: a backup takes some 300 MB at its peak, and who takes too much is killed.`,
      fix: `Give it ${mebibytes(LEAST_MEMORY_BYTES)} MiB or more, or open the engine with workerPool({ threads: 1, maxMemoryBytes: 64e6 }).`,
      details: { availableBytes, ...(memoryBytes !== undefined && { memoryBytes }) },
    },
  ]
}

function fewCpus(cpus: number, threads: number): Finding {
  const fewer = Math.max(1, Math.floor(cpus))
  return {
    code: 'CPU_LIMITED',
    severity: 'info',
    message: `This process may use ${Number(cpus.toFixed(2))} processors and works with ${threads} threads: who has used up their share stands still, the host's event loop too.`,
    fix: `Open the engine with workerPool({ threads: ${fewer} }), or allow more processors.`,
    details: { cpus, threads },
  }
}

function fewFiles(openFiles: number): Finding {
  return {
    code: 'OPEN_FILES_LOW',
    severity: 'warning',
    message: `This process may have ${openFiles} files and connections open at once, all of the host's among them.`,
    fix: 'Raise the limit: ulimit -n, or LimitNOFILE= of its service.',
    details: { openFiles },
  }
}

async function openFileLimit(): Promise<number | undefined> {
  const line = /^Max open files\s+(\d+)/m.exec(await textOf('/proc/self/limits'))
  return line === null ? undefined : Number(line[1])
}

/** Of the group of this process; containers see their own as the root. */
async function cpuQuota(): Promise<number | undefined> {
  const groups = (await textOf('/proc/self/cgroup')).split('\n').map((line) => line.split(':'))
  for (const [, controllers = '', path = ''] of groups) {
    const names = controllers.split(',')
    if (controllers !== '' && !names.includes('cpu')) continue
    const folders = [join(CGROUPS, controllers, path), join(CGROUPS, 'cpu', path), join(CGROUPS, controllers)]
    for (const folder of folders) {
      const quota = await quotaIn(folder)
      if (quota !== undefined) return quota
    }
  }
  return undefined
}

async function quotaIn(folder: string): Promise<number | undefined> {
  const [quota, period] = (await textOf(join(folder, 'cpu.max'))).trim().split(' ').map(Number)
  if (quota! > 0 && period! > 0) return quota! / period!
  const [us, periodUs] = await Promise.all(
    ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map(async (name) => Number(await textOf(join(folder, name)))),
  )
  return us! > 0 && periodUs! > 0 ? us! / periodUs! : undefined
}

/** Empty where there is no such thing. */
async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '')
}
