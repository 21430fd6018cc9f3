/**
 * A real S3 server for tests and benchmarks: the one that HOLDFAST_TEST_S3_ENDPOINT names, else one in Docker, else
 * Ceph's gateway started from the programs on this machine (installed by apt-get where that is possible). Without any of
 * them the tests fail and say what to install.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { KeeperLine, KeeperOptions } from './s3-keeper.ts'

export interface TestS3 {
  /** As in 'http://127.0.0.1:40123', for path style. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Runs `radosgw-admin` with these arguments; the user is `holdfast`. Absent where the server was given. */
  admin?(args: readonly string[]): Promise<string>
  stop(): Promise<void>
}

export interface StartS3Options {
  /** A server that nobody else uses, and that ends with `stop`. It has `admin`. */
  readonly own?: boolean
  /** Added settings of Ceph, as in `{ rgw_max_chunk_size: '1048576' }`; such a server is the caller's own. */
  readonly settings?: Readonly<Record<string, string>>
}

const KEEPER = fileURLToPath(new URL('s3-keeper.ts', import.meta.url))
const START_MS = 180_000
/** Between two test files of a run. */
const LINGER_MS = 45_000

/** Starts (or finds) a server, shared by all who ask. Ends some time after the last of them, however they end. */
export async function startS3(options: StartS3Options = {}): Promise<TestS3> {
  const own = options.own === true || options.settings !== undefined
  const endpoint = process.env.HOLDFAST_TEST_S3_ENDPOINT
  if (endpoint && !own) return givenServer(endpoint)
  const name = own ? randomBytes(6).toString('hex') : createHash('sha256').update(KEEPER).digest('hex').slice(0, 12)
  return await attach({
    socket: join(tmpdir(), `holdfast-s3-${process.getuid?.() ?? 0}-${name}.sock`),
    lingerMs: own ? 0 : LINGER_MS,
    settings: options.settings ?? {},
    docker: options.settings === undefined,
  })
}

function givenServer(endpoint: string): TestS3 {
  const { env } = process
  const accessKeyId = env.HOLDFAST_TEST_S3_ACCESS_KEY_ID ?? env.AWS_ACCESS_KEY_ID
  const secretAccessKey = env.HOLDFAST_TEST_S3_SECRET_ACCESS_KEY ?? env.AWS_SECRET_ACCESS_KEY
  if (!accessKeyId || !secretAccessKey) {
    throw new Error('HOLDFAST_TEST_S3_ENDPOINT is set, but not HOLDFAST_TEST_S3_ACCESS_KEY_ID and …_SECRET_ACCESS_KEY')
  }
  const region = env.HOLDFAST_TEST_S3_REGION ?? 'us-east-1'
  return { endpoint, region, accessKeyId, secretAccessKey, stop: async () => {} }
}

interface Attached {
  readonly socket: Socket
  readonly lines: Interface
  readonly first: Exclude<KeeperLine, { error: string }>
}

async function attach(options: KeeperOptions): Promise<TestS3> {
  const end = Date.now() + START_MS
  let attached: Attached | undefined
  while (attached === undefined) {
    attached = await tryAttach(options.socket)
    if (attached !== undefined) break
    if (Date.now() > end) throw new Error(`the S3 server of the tests did not come up in ${START_MS} ms`)
    startKeeper(options)
    await sleep(300)
  }
  const { socket, lines, first } = attached
  // The test process may end whenever it has nothing else to do.
  socket.unref()
  return { ...first, region: 'us-east-1', admin: adminOver(socket, lines), stop: () => leave(socket, options) }
}

function startKeeper(options: KeeperOptions): void {
  const child = spawn(process.execPath, [KEEPER, JSON.stringify(options)], { detached: true, stdio: 'ignore' })
  child.unref()
}

/** Undefined where nobody listens, or whoever does is about to end. @throws Error that says why no server starts. */
async function tryAttach(path: string): Promise<Attached | undefined> {
  // Each question to `radosgw-admin` listens for its end.
  const socket = connect(path).setMaxListeners(0)
  const lines = createInterface({ input: socket })
  // An error of the socket comes out of the interface as well.
  lines.on('error', () => {})
  socket.on('error', () => {})
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve)
    socket.once('close', () => resolve(undefined))
  })
  if (line === undefined) return undefined
  const first = JSON.parse(line) as KeeperLine
  if (!('error' in first)) return { socket, lines, first }
  socket.destroy()
  throw new Error(first.error)
}

function adminOver(socket: Socket, lines: Interface): (args: readonly string[]) => Promise<string> {
  let last: Promise<unknown> = Promise.resolve()
  const ask = async (args: readonly string[]): Promise<string> => {
    socket.ref()
    const line = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      socket.once('close', () => reject(new Error('the keeper of the S3 server is gone')))
      socket.write(`${JSON.stringify(args)}\n`)
    })
    socket.unref()
    const reply = JSON.parse(line) as { output: string } | { error: string }
    if ('error' in reply) throw new Error(reply.error)
    return reply.output
  }
  return (args) => {
    const answer = last.then(() => ask(args))
    last = answer.catch(() => {})
    return answer
  }
}

/** For a server of one's own: until nothing listens any more. */
async function leave(socket: Socket, { socket: path, lingerMs }: KeeperOptions): Promise<void> {
  socket.destroy()
  if (lingerMs > 0) return
  for (;;) {
    const up = await new Promise<boolean>((resolve) => {
      const trial = connect(path)
      trial.once('connect', () => trial.destroy()).once('error', () => resolve(false))
      trial.once('close', (failed) => resolve(!failed))
    })
    if (!up) return
    await sleep(50)
  }
}
