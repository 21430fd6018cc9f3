/** Runs one command and measures wall time, CPU time and peak memory of its process tree. */
import { spawn } from 'node:child_process'
import { endedChildrenCpuMs, residentBytes } from './process-tree.ts'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Usage {
  readonly wallMs: number
  /** User and system; undefined where there is no /proc. */
  readonly cpuMs: number | undefined
  readonly peakBytes: number | undefined
}

const SAMPLE_MS = 25

/** Keeps the end of an output for the error message, and all of a short one. */
function tail(stream: NodeJS.ReadableStream | null): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-64 * 1024)
  })
  return () => text
}

function watchMemory(pid: number): () => number | undefined {
  let peak = 0
  const sample = (): void => {
    peak = Math.max(peak, residentBytes(pid))
  }
  const timer = setInterval(sample, SAMPLE_MS)
  return () => {
    clearInterval(timer)
    return peak || undefined
  }
}

/** Rejects with the end of its output when the command fails. One at a time: see `endedChildrenCpuMs`. */
export function measure(command: Command): Promise<Usage & { stdout: string }> {
  return new Promise((resolve, reject) => {
    const cpuBefore = endedChildrenCpuMs()
    const started = process.hrtime.bigint()
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const memory = watchMemory(child.pid ?? 0)
    const stdout = tail(child.stdout)
    const stderr = tail(child.stderr)
    let wallMs = 0
    child.once('error', reject)
    child.once('exit', () => {
      wallMs = Number(process.hrtime.bigint() - started) / 1e6
    })
    child.once('close', (code, signal) => {
      const peakBytes = memory()
      const cpuAfter = endedChildrenCpuMs()
      const cpuMs = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore
      if (code === 0) resolve({ wallMs, cpuMs, peakBytes, stdout: stdout() })
      else reject(new Error(`${command.file} ${command.args.join(' ')}: ${signal ?? code}\n${stderr() || stdout()}`))
    })
  })
}

/** The trimmed output of a command, or undefined if it cannot be run: how peers and machine facts are found. */
export async function outputOf(file: string, ...args: string[]): Promise<string | undefined> {
  try {
    return (await measure({ file, args })).stdout.trim()
  } catch {
    return undefined
  }
}
