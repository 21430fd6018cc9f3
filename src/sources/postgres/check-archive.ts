/** What `verify` with level 'content' asks of a snapshot of this source: whether pg_restore can read its archives to the end. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BackupError, type Json } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { CheckContext } from '../source.ts'
import { type DumpClient, dumpClients, findDumpClient } from './dump-client-find.ts'

const MAX_STDERR = 2000
const ARCHIVE = /(^|\/)pg_dump\/(schema|database)\.dump$/

export async function checkArchives(
  { reader, facts, signal }: CheckContext,
  binDir: string | undefined,
): Promise<Finding[]> {
  const paths: string[] = []
  for await (const batch of reader.entries()) {
    paths.push(...batch.filter(({ path, type }) => type === 'script' && ARCHIVE.test(path)).map(({ path }) => path))
  }
  if (paths.length === 0) return []
  const client = await restoringClient(facts, binDir, signal)
  signal.throwIfAborted()
  if (!('binDir' in client)) return [client]
  const findings: Finding[] = []
  for (const path of paths) {
    const said = await restoreToNothing(client, reader.content(path), signal)
    if (said !== undefined) findings.push(broken(path, said))
  }
  return findings
}

/** One that is at least as new as what wrote the archive. */
async function restoringClient(
  facts: CheckContext['facts'],
  binDir: string | undefined,
  signal: AbortSignal,
): Promise<DumpClient | Finding> {
  const written = (facts.client as { version?: Json } | null | undefined)?.version
  try {
    const clients = dumpClients(binDir, signal)
    return await findDumpClient(Number.parseInt(String(written ?? '0'), 10), binDir, clients)
  } catch (error) {
    if (!BackupError.is(error)) throw error
    const { code, details } = error
    const message = 'The archives of the schema were not looked into: there is no pg_restore as new as what wrote them.'
    return { code, severity: 'info', message, ...(error.hint && { fix: error.hint }), details }
  }
}

/** @returns what pg_restore said where it failed */
async function restoreToNothing(
  { binDir }: DumpClient,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stdio: ['pipe', 'ignore', 'pipe'] = ['pipe', 'ignore', 'pipe']
  const options = { stdio, signal, killSignal: 'SIGKILL' } as const
  const child = spawn(join(binDir, 'pg_restore'), ['--file=/dev/null'], options)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, MAX_STDERR)
  })
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      said ||= error.message
    })
    child.on('close', resolve)
  })
  let unread: unknown
  await pipeline(Readable.from(content, { objectMode: true }), child.stdin).catch((error: NodeJS.ErrnoException) => {
    // It closes its input when it has seen enough, or fails: its exit says which.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') unread = error
  })
  const code = await ended
  signal.throwIfAborted()
  if (unread !== undefined) throw unread
  return code === 0 ? undefined : said.trim() || 'it ended without a word'
}

function broken(path: string, said: string): Finding {
  return {
    code: 'CONTENT_MISMATCH',
    severity: 'error',
    message: `pg_restore cannot read ${path}: ${said.split('\n')[0]}`,
    fix: 'Restore from another snapshot, and back up again.',
    details: { path, stderr: said },
  }
}
