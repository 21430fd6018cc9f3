/** Runs docs/reader, and whatever of its programs is missing is installed. */
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { aptInstall } from './servers/apt.ts'

export const READER = new URL('../docs/reader/', import.meta.url).pathname

export interface Ran {
  code: number
  out: string
  errors: string
}

export async function installPrograms(): Promise<void> {
  const missing = ['python3', 'openssl', 'zstd'].filter((program) => !isThere(program))
  if (missing.length > 0) await aptInstall(missing)
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`])
    return true
  } catch {
    return false
  }
}

/** The variable that holds the key of a repository. */
export type Key = Readonly<Record<string, string>>

export function python(args: readonly string[], key: Key = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...key }
    execFile('python3', args, { env, maxBuffer: 2 ** 26 }, (error, out, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, errors }),
    )
  })
}

export const read = (args: readonly string[], key?: Key): Promise<Ran> =>
  python([join(READER, 'holdfast_read.py'), ...args], key)
