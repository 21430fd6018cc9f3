/** One line that rewrites itself on a terminal; in a log file a plain line now and then. */
import type { Progress } from '../../src/index.ts'
import { bytes } from './format.ts'

const BAR = 24
const PLAIN_EVERY_MS = 1000

export interface ProgressLine {
  show(progress: Progress): void
  /** Leaves an empty line for what is printed next. */
  clear(): void
}

export function progressLine(out: NodeJS.WriteStream): ProgressLine {
  if (out.isTTY) {
    return {
      show: (progress) => out.write(`\r\x1b[2K${oneLine(render(progress), out.columns || 80)}`),
      clear: () => out.write('\r\x1b[2K'),
    }
  }
  let last = performance.now()
  return {
    show(progress) {
      if (performance.now() - last < PLAIN_EVERY_MS) return
      last = performance.now()
      out.write(`${render(progress)}\n`)
    },
    clear: () => {},
  }
}

function render({ percent, phase, bytes: { done }, bytesPerSecond, etaMs, currentPath }: Progress): string {
  const filled = Math.round(((percent ?? 0) / 100) * BAR)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled)
  const share = percent === null ? '   ' : `${percent.toFixed(0).padStart(3)} %`
  const eta = etaMs === null ? '' : `, ${Math.ceil(etaMs / 1000)} s to go`
  const path = currentPath === undefined ? '' : `  ${currentPath}`
  return `    ${bar} ${share}  ${phase}, ${bytes(done)}, ${bytes(Math.round(bytesPerSecond))}/s${eta}${path}`
}

/** A line that wraps cannot be rewritten. */
function oneLine(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, columns - 2)}…`
}
