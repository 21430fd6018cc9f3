/** Runs the smoke script, or what is made of it, as a host of some kind would. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'

const run = promisify(execFile)
export const SMOKE = 'smoke.mjs'

export interface Outcome {
  readonly sound: boolean
  readonly same: boolean
  /** Whether any was started. */
  readonly workers: boolean
  readonly warnings: readonly string[]
}

/** All went well, in threads. */
export const FINE: Outcome = { sound: true, same: true, workers: true, warnings: [] }
/** All went well, on the main thread. */
export const INLINE = { ...FINE, workers: false, warnings: [expect.stringMatching(/^WORKERS_UNAVAILABLE: /)] }

/** A few files, one of them larger than a chunk, and the smoke script. */
export function prepare(folder: string): void {
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'data/small.txt'), 'small')
  writeFileSync(join(folder, 'data/large.bin'), Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * i) >> 3)))
  copyFileSync(join(import.meta.dirname, SMOKE), join(folder, SMOKE))
}

export interface Host {
  readonly cwd: string
  readonly program?: string
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
}

/** What the program prints, line by line, errors first. Rejects when its exit code is not 0. */
export async function lines(args: readonly string[], { program = process.execPath, ...host }: Host): Promise<string[]> {
  const { stdout, stderr } = await run(program, args, { timeout: 60_000, ...host })
  return `${stderr}${stdout}`.trim().split('\n')
}

/** The smoke's outcome, and nothing printed besides. */
export async function smoke(args: readonly string[], host: Host): Promise<unknown> {
  const printed = await lines(args, host)
  return printed.length === 1 ? JSON.parse(printed[0]!) : printed
}
