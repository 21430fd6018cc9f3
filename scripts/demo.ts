/**
 * `npm run demo [-- --path FOLDER]`: backs up a copy of a real folder, changes some of its files, backs up again, diffs,
 * verifies, restores and compares. The folder itself is only read. Everything it makes is in one temporary folder, which
 * is removed at the end, also on Ctrl-C. It uses the built package as any application would.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { BackupEngine, BackupResult, Diff } from '../src/index.ts'
import { changeSomeFiles, type Edited } from './demo/changes.ts'
import { bytes, count, seconds, speed } from './demo/format.ts'
import { progressLine } from './demo/progress-line.ts'
import { copyTree, differences, type Tree, walk } from './demo/trees.ts'
import { ensureBuilt } from './ensure-built.ts'

const HELP = `npm run demo [-- --path FOLDER]

Backs up a copy of FOLDER (default: this project's node_modules) into a temporary repository, changes some files,
backs up again, diffs, verifies, restores and compares. Nothing outside a temporary folder is written.`

/** The copy, the repository and the restored folder: room that the temporary folder must have, in sizes of the folder. */
const ROOM = 3

const stop = new AbortController()
const line = progressLine(process.stdout)
const watched = { signal: stop.signal, onProgress: line.show }

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { path: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help === true) return say(HELP)
  const folder = resolve(values.path ?? join(import.meta.dirname, '../node_modules'))
  const temporary = mkdtempSync(join(tmpdir(), 'holdfast-demo-'))
  const remove = (): void => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 })
  process.on('SIGINT', () => interrupt(remove))
  process.on('SIGTERM', () => interrupt(remove))
  try {
    await demo(folder, temporary)
  } finally {
    line.clear()
    remove()
  }
}

async function demo(folder: string, temporary: string): Promise<void> {
  const tree = walk(folder)
  checkRoom(temporary, tree)
  ensureBuilt()
  const holdfast = (await import(new URL('../dist/index.js', import.meta.url).href)) as typeof import('../src/index.ts')
  greet(folder, tree)

  const data = join(temporary, 'copy')
  await copyTree(folder, data, stop.signal)
  // What was written in the last two seconds is read again next time, to be sure; a folder in real use is older than that.
  await sleep(2100, undefined, { signal: stop.signal })
  await using engine = await holdfast.BackupEngine.open({
    target: holdfast.localTarget(join(temporary, 'repository')),
    key: holdfast.passphrase(randomBytes(24).toString('base64url')),
    sources: [holdfast.filesystem({ name: 'data', path: data })],
  })
  const edited = await backUpThrice(engine, data)
  await verify(engine)
  await restore(engine, data, join(temporary, 'restored'))
  if (edited !== undefined) await readOneBack(engine, edited)
  say(
    `\n  All of it is exact. Memory at most ${bytes(process.resourceUsage().maxRSS * 1024)}, Node and its threads included.`,
  )
}

/** Gives a file that is another in the last snapshot than in the first. */
async function backUpThrice(engine: BackupEngine, data: string): Promise<Edited | undefined> {
  step('First backup')
  const first = await engine.backup({ ...watched, tags: ['demo'] })
  sayBackup(first)

  step('Backup again, nothing changed')
  sayBackup(await engine.backup(watched))

  step('Some files edited, added, deleted; backup again')
  const edited = changeSomeFiles(data)
  const last = await engine.backup(watched)
  sayBackup(last)

  step('Diff of the first and the last snapshot')
  const started = performance.now()
  const diff = await engine.diff({ base: first.snapshot.id, head: last.snapshot.id, signal: stop.signal })
  await sayDiff(diff, performance.now() - started)
  return edited
}

async function verify(engine: BackupEngine): Promise<void> {
  step('Verify: every stored byte read, decrypted, hashed')
  const result = await engine.verify({ level: 'data', ...watched })
  line.clear()
  if (!result.sound) throw new Error(`Not sound: ${JSON.stringify(result.findings)}`)
  const what = `${count(result.snapshots.length, 'snapshot')} sound, ${bytes(result.bytesRead)} in ${count(result.packsRead, 'pack')}`
  sayResult(what, result.durationMs, speed(result.bytesRead, result.durationMs))
}

async function restore(engine: BackupEngine, data: string, to: string): Promise<void> {
  step('Restore into a new folder')
  const plan = await engine.planRestore({ snapshot: 'latest', to: { folder: to }, signal: stop.signal })
  const result = await engine.restore(plan, watched)
  line.clear()
  const made = result.totals.create
  const read = result.verified ? ', read back' : ''
  sayResult(
    `${count(made.count, 'entry', 'entries')}, ${bytes(made.bytes)} written${read}`,
    result.durationMs,
    speed(made.bytes, result.durationMs),
  )

  step('Compare with what was backed up')
  const wrong = differences(data, join(to, 'data'))
  if (wrong.length > 0) throw new Error(`The restored folder is not the same:\n${wrong.slice(0, 20).join('\n')}`)
  sayResult('Names, types, modes, times to the microsecond, links, every byte: no difference')
  if (diffAgrees(data, join(to, 'data'))) sayResult('diff -r --no-dereference: no difference')
}

/** False where the program is not installed. Throws where it found something. */
function diffAgrees(one: string, other: string): boolean {
  try {
    execFileSync('diff', ['-r', '--no-dereference', one, other], { stdio: 'pipe' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw new Error(`diff -r found a difference:\n${String((error as { stdout?: Buffer }).stdout)}`, { cause: error })
  }
}

/** The first snapshot still has the file as it was; and only that file's chunks are fetched for it. */
async function readOneBack(engine: BackupEngine, { path, before }: Edited): Promise<void> {
  step('Read one edited file as it was in the first snapshot')
  const started = performance.now()
  const first = (await engine.snapshots({ tags: ['demo'] }).toArray())[0]!
  const content = await buffer(await engine.read({ snapshot: first.id, path: `data/${path}`, signal: stop.signal }))
  const ms = performance.now() - started
  if (!content.equals(before)) throw new Error(`${path} is not what it was.`)
  sayResult(`data/${path}, ${bytes(content.length)}, as it was before the edit`, ms)
}

function checkRoom(temporary: string, { bytes: size }: Tree): void {
  const { bavail, bsize } = statfsSync(temporary)
  if (bavail * bsize > size * ROOM) return
  throw new Error(
    `The demo needs about ${bytes(size * ROOM)} in ${tmpdir()}, and ${bytes(bavail * bsize)} are free. ` +
      'Take a smaller folder (--path), or another temporary folder (TMPDIR).',
  )
}

let steps = 0

function step(title: string): void {
  stop.signal.throwIfAborted()
  say(`\n  ${++steps}. ${title}`)
}

function greet(folder: string, tree: Tree): void {
  say(`\n  Holdfast, Node ${process.versions.node}, ${count(availableParallelism(), 'core')}`)
  say(`  ${folder}: ${count(tree.paths.length, 'entry', 'entries')}, ${bytes(tree.bytes)}`)
  say('  It is copied to a temporary folder first. Encrypted, with the default settings.')
}

function sayBackup({ counts, durationMs }: BackupResult): void {
  line.clear()
  const { entries, added, modified, deleted, sourceBytes, readBytes, newBytes, storedBytes } = counts
  const changed = `${count(added, 'added', 'added')}, ${modified} modified, ${deleted} deleted`
  sayResult(`${count(entries, 'entry', 'entries')}: ${changed}`, durationMs, speed(sourceBytes, durationMs))
  sayResult(`${bytes(readBytes)} read, ${bytes(newBytes)} of it new, ${bytes(storedBytes)} stored`)
}

async function sayDiff({ totals, changes }: Diff, ms: number): Promise<void> {
  const found = Object.entries(totals).filter(([, total]) => total.count > 0)
  sayResult(found.map(([type, total]) => `${total.count} ${type}`).join(', '), ms)
  for (const { type, path } of await changes.toArray({ limit: 5 })) say(`       ${type.padEnd(9)} ${path}`)
  say('       …')
}

function sayResult(what: string, ms?: number, rate = ''): void {
  say(
    ms === undefined
      ? `     ${what}`
      : `     ${what.padEnd(66)} ${seconds(ms).padStart(7)}  ${rate.padStart(9)}`.trimEnd(),
  )
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** The first time: ends what runs, and `main` removes the folder. The second time: at once. */
function interrupt(remove: () => void): void {
  if (stop.signal.aborted) {
    remove()
    process.exit(130)
  }
  stop.abort(new Error('Interrupted.'))
}

try {
  await main()
} catch (error) {
  const interrupted = stop.signal.aborted
  process.stderr.write(interrupted ? '\n  Interrupted; the temporary folder is removed.\n' : `\n  ${describe(error)}\n`)
  process.exitCode = interrupted ? 130 : 1
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, hint } = error as { code?: string; hint?: string }
  return [`${code ?? error.name}: ${error.message}`, hint].filter((part) => part !== undefined).join('\n  ')
}
