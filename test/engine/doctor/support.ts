/** Engines to be examined, and looks at what was found. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { BackupEngine, type EngineOptions, type Finding, memoryTarget, type Target } from '../../../src/index.ts'

const run = promisify(execFile)

/** Opened, examined, closed. Every finding has to say what it means and what to do. */
export async function examine(
  over: Partial<EngineOptions> = {},
  options: Parameters<BackupEngine['doctor']>[0] = {},
): Promise<Finding[]> {
  const engine = await BackupEngine.open({ target: memoryTarget(), key: 'none', workers: 'inline', ...over })
  try {
    return wellFormed(await engine.doctor(options))
  } finally {
    await engine.close()
  }
}

export function wellFormed(findings: Finding[]): Finding[] {
  const ranks = findings.map(({ severity }) => ['error', 'warning', 'info'].indexOf(severity))
  expect(ranks).toEqual([...ranks].sort())
  for (const { code, message, fix } of findings) {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/)
    expect(message.length, code).toBeGreaterThan(20)
    expect(fix?.length, code).toBeGreaterThan(10)
  }
  return findings
}

/** What this machine, these tests and `workers: 'inline'` bring along. */
const USUAL = new Set(['WORKERS_INLINE', 'REPOSITORY_CLEANED', 'SAME_DISK', 'MEMORY_LOW', 'CPU_LIMITED', 'SPACE_LOW'])

export const codesOf = (findings: readonly Finding[]): string[] => findings.map(({ code }) => code)
export const unusual = (findings: readonly Finding[]): string[] => codesOf(findings).filter((code) => !USUAL.has(code))
export const the = (code: string, findings: readonly Finding[]): Finding => {
  const found = findings.filter((finding) => finding.code === code)
  expect(codesOf(found), JSON.stringify(findings, null, 1)).toEqual([code])
  return found[0]!
}

export async function keysOf(target: Target): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list('')) keys.push(key)
  return keys.sort()
}

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
}

/** A file system in memory of so many MiB. Undefined, and said, where mounting is not ours to do. */
export async function smallDisk(mebibytes: number): Promise<SmallDisk | undefined> {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'))
  const remove = async (): Promise<void> => {
    await run('umount', [path]).catch(() => undefined)
    rmSync(path, { recursive: true, force: true })
  }
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path])
    return { path, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    console.warn(`NOT TRIED on a real full disk: no tmpfs can be mounted here (${String(error)})`)
    return undefined
  }
}
