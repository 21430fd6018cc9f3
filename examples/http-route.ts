/**
 * Backups from a web server: a request starts one and is answered at once, another follows it live.
 *
 *   BACKUP_PASSPHRASE=… node examples/http-route.ts FOLDER REPOSITORY [PORT]
 *
 *   curl -X POST localhost:8080/backups                  202 { "runId": "…" }
 *   curl -N localhost:8080/backups/<runId>/events        server-sent events until the run has ended
 *   curl -X DELETE localhost:8080/backups/<runId>        stops it
 *   curl localhost:8080/snapshots                        the newest snapshots
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BackupEngine, BackupError, filesystem, localTarget, passphrase } from 'holdfast'

type Handler = (engine: BackupEngine, response: ServerResponse, runId: string, request: IncomingMessage) => unknown

/** In a real application each of these asks first who is calling. */
const routes: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ['POST', /^\/backups$/, startBackup],
  ['GET', /^\/backups\/([\w.-]+)\/events$/, followRun],
  ['DELETE', /^\/backups\/([\w.-]+)$/, stopRun],
  ['GET', /^\/snapshots$/, listSnapshots],
]

function startBackup(engine: BackupEngine, response: ServerResponse): void {
  const runId = randomUUID()
  // How it ends is told by follow(), by the event `backup:error`, and by engine.history.
  engine.backup({ runId, actor: 'web' }).catch(() => {})
  sendJson(response, 202, { runId })
}

async function followRun(engine: BackupEngine, response: ServerResponse, runId: string): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const updates = engine.follow(runId, { signal: gone.signal })
  for await (const update of updates) {
    // Only now: a run that is not known becomes a 404 instead of an empty stream.
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(`event: ${update.type}\ndata: ${JSON.stringify(update)}\n\n`)
  }
  response.end()
}

function stopRun(engine: BackupEngine, response: ServerResponse, runId: string): void {
  const run = engine.runs().find((active) => active.runId === runId)
  run?.abort('stopped by a user')
  sendJson(response, run === undefined ? 404 : 202, { runId })
}

async function listSnapshots(engine: BackupEngine, response: ServerResponse): Promise<void> {
  sendJson(response, 200, await engine.snapshots().page({ limit: 20 }))
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function answer(engine: BackupEngine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0] ?? ''
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path))
  if (route === undefined) return sendJson(response, 404, { error: 'NOT_FOUND' })
  try {
    await route[2](engine, response, route[1].exec(path)?.[1] ?? '', request)
  } catch (error) {
    const code = BackupError.is(error) ? error.code : 'INTERNAL'
    if (response.headersSent) response.destroy()
    else sendJson(response, code === 'RUN_NOT_FOUND' ? 404 : 500, { error: code })
  }
}

const [path = '.', repository = 'backups', port = '8080'] = process.argv.slice(2)
const engine = await BackupEngine.open({
  target: localTarget(repository),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [filesystem({ name: 'data', path })],
})
const server = createServer((request, response) => void answer(engine, request, response))
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

process.once('SIGTERM', async () => {
  server.close()
  // A running backup gets ten seconds to finish; what is uploaded by then is not lost.
  await engine.close({ graceMs: 10_000 })
  server.closeAllConnections()
})
