/**
 * One `sh` a thread that starts `getfattr` as often as it is asked to. A process of Node's size takes 9 ms to fork, most of
 * it afterwards, page by page; a shell takes none of that. Started when it is first needed, it ends when nobody has asked for
 * some seconds, with its thread or an engine, or with this process, whose end of its input closes.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { settled } from '../../util/abort.ts'
import { atThreadEnd } from '../../util/thread-end.ts'
import { searchPath } from './programs.ts'

export const READ_PROGRAM = 'getfattr'

export interface Told {
  /** latin1, as the program wrote them. */
  output: string
  errors: string
  /** False: the program, or the shell, did not do its work. */
  ended: boolean
}

const END = '# end\n'
/** Reads how many bytes of names come, and whether links are followed; `head` takes no byte more. */
const SCRIPT = `while read -r bytes links; do
  head -c "$bytes" | xargs -0 ${READ_PROGRAM} "$links" --dump --match=- --encoding=hex --absolute-names --
  echo '# end'
  echo '# end' >&2
done`
const IDLE_MS = 5000
/** For a shell that has read the end of its input; longer only where a file system does not answer. */
const CLOSE_MS = 1000
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024

class Helper {
  isOver = false
  readonly path = searchPath()
  private readonly child: ChildProcessWithoutNullStreams
  private readonly exited: Promise<unknown>
  private pieces: { out: Buffer[]; err: Buffer[]; bytes: number } = { out: [], err: [], bytes: 0 }
  private told: ((told: Told) => void) | undefined
  private idle: NodeJS.Timeout | undefined

  constructor() {
    this.child = spawn('sh', ['-c', SCRIPT], { env: { PATH: this.path, LC_ALL: 'C' } })
    const { child } = this
    child.stdout.on('data', (piece: Buffer) => this.take('out', piece))
    child.stderr.on('data', (piece: Buffer) => this.take('err', piece))
    this.exited = new Promise((resolve) => child.once('exit', resolve).once('error', resolve))
    started.add(this)
    void this.exited.then(() => started.delete(this))
    // It is over when it is closed, and says so there.
    child.stdin.on('error', () => {})
    child.on('error', (error) => this.end(error.message))
    child.on('close', () => this.end(''))
  }

  /** One after the other. Never rejects. */
  ask(names: readonly string[], follow: boolean): Promise<Told> {
    clearTimeout(this.idle)
    this.hold(true)
    const input = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1')
    return new Promise((resolve) => {
      this.told = resolve
      this.child.stdin.write(`${input.length} ${follow ? '--absolute-names' : '--no-dereference'}\n`)
      this.child.stdin.write(input)
    })
  }

  private take(stream: 'out' | 'err', piece: Buffer): void {
    const { pieces } = this
    pieces[stream].push(piece)
    pieces.bytes += piece.length
    if (pieces.bytes > MAX_OUTPUT_BYTES) this.child.kill()
    if (isEnded(pieces.out) && isEnded(pieces.err)) this.tell(true)
  }

  private tell(ended: boolean, why = ''): void {
    const { out, err } = this.pieces
    this.pieces = { out: [], err: [], bytes: 0 }
    const { told } = this
    this.told = undefined
    this.hold(false)
    this.idle = setTimeout(() => void this.close(), IDLE_MS).unref()
    told?.({ output: withoutEnd(out), errors: `${withoutEnd(err)}${why}`, ended })
  }

  private end(why: string): void {
    this.isOver = true
    this.tell(false, why)
    clearTimeout(this.idle)
  }

  /** Answers what it was asked before. Resolves when it is no process any more. */
  async close(): Promise<void> {
    this.isOver = true
    this.child.stdin.end()
    this.hold(true)
    await settled(this.exited, CLOSE_MS)
    this.hold(this.told !== undefined)
  }

  /** The process does not end while an answer is awaited, nor is it kept by a helper that is idle. */
  private hold(isAwaited: boolean): void {
    const { child } = this
    for (const each of [child, child.stdin as Socket, child.stdout as Socket, child.stderr as Socket]) {
      if (isAwaited) each.ref()
      else each.unref()
    }
  }
}

function isEnded(pieces: readonly Buffer[]): boolean {
  // It may come in pieces, each a byte at least.
  return textOf(pieces.slice(-END.length)).endsWith(END)
}

function withoutEnd(pieces: readonly Buffer[]): string {
  const text = textOf(pieces)
  return text.endsWith(END) ? text.slice(0, -END.length) : text
}

function textOf(pieces: readonly Buffer[]): string {
  return Buffer.concat(pieces).toString('latin1')
}

/** Those that are processes yet. */
const started = new Set<Helper>()
let helper: Helper | undefined
let last: Promise<unknown> = Promise.resolve()

/** What the program says of these names. Never rejects. */
export function tellXattrs(names: readonly string[], follow: boolean): Promise<Told> {
  const next = last.then(() => {
    if (helper !== undefined && helper.path !== searchPath()) void helper.close()
    if (helper === undefined || helper.isOver) helper = new Helper()
    return helper.ask(names, follow)
  })
  // Under Node's permission model `spawn` itself throws.
  const told = next.catch((error: unknown): Told => ({ output: '', errors: String(error), ended: false }))
  last = told
  return told
}

// Who asks after that starts another.
atThreadEnd(async () => {
  await Promise.all([...started].map((each) => each.close()))
})
