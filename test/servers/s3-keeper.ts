/**
 * The process that holds a server for S3 while anybody uses it. Users connect to its socket, and get a line of JSON once
 * the server is up; the kernel closes the connection of a user that dies in whatever way. When the last one is gone, and
 * nobody new comes for a while, the server ends. So all workers of a test run, and all runs of a checkout, share one.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dockerAnswers } from './docker.ts'
import { cephAdmin, haveCeph, type Keys, launchCeph } from './s3-launch.ts'

export interface KeeperOptions {
  /** Path of the socket. */
  readonly socket: string
  /** How long the server stays without users. */
  readonly lingerMs: number
  /** Added settings of the gateway; only where it is started from programs. */
  readonly settings: Readonly<Record<string, string>>
  readonly docker: boolean
}
/** The line that users get. */
export type KeeperLine = { readonly error: string } | (Keys & { readonly endpoint: string })

const NONE = `No S3 server for the tests. Do one of these:
- set HOLDFAST_TEST_S3_ENDPOINT to the address of one, with HOLDFAST_TEST_S3_ACCESS_KEY_ID and
  HOLDFAST_TEST_S3_SECRET_ACCESS_KEY (buckets are created in it)
- start Docker
- install Ceph's object gateway (Debian, Ubuntu: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd
  ceph-common; Fedora: dnf install ceph-radosgw ceph-mon ceph-osd ceph-common)`
const IMAGE = 'quay.io/ceph/demo:latest-quincy'
/** For the first user to come. */
const PATIENCE_MS = 30_000

type Running = Keys & { endpoint: string; admin(args: readonly string[]): Promise<string>; stop(): Promise<void> }

function newKeys(): Keys {
  return { accessKeyId: 'holdfast', secretAccessKey: randomBytes(20).toString('hex') }
}

async function start({ docker, settings }: KeeperOptions): Promise<Running> {
  if (docker && (await dockerAnswers())) return await startContainer()
  if (!(await haveCeph())) throw new Error(NONE)
  const keys = newKeys()
  const { endpoint, config } = await launchCeph(keys, settings)
  return { ...keys, endpoint, admin: (args) => cephAdmin(config, args), stop: async () => {} }
}

async function startContainer(): Promise<Running> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const keys = newKeys()
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({
      MON_IP: '127.0.0.1',
      CEPH_PUBLIC_NETWORK: '0.0.0.0/0',
      RGW_NAME: 'localhost',
      CEPH_DEMO_UID: 'holdfast',
      CEPH_DEMO_ACCESS_KEY: keys.accessKeyId,
      CEPH_DEMO_SECRET_KEY: keys.secretAccessKey,
      CEPH_DEMO_BUCKET: 'demo',
    })
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forLogMessage(/opt\/ceph-container\/bin\/demo: SUCCESS/))
    .withStartupTimeout(180_000)
    .start()
  return {
    ...keys,
    endpoint: `http://${container.getHost()}:${container.getMappedPort(8080)}`,
    admin: async (args) => {
      const { output, exitCode } = await container.exec(['radosgw-admin', ...args])
      if (exitCode !== 0) throw new Error(output)
      return output
    },
    stop: async () => {
      await container.stop()
    },
  }
}

/** Runs what users ask for, a line each: arguments of `radosgw-admin`. */
function serve(user: Socket, running: Promise<Running>): void {
  let text = ''
  user.setEncoding('utf8').on('data', async (part: string) => {
    text += part
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const args = JSON.parse(text.slice(0, end)) as string[]
      text = text.slice(end + 1)
      const reply = await running.then(({ admin }) => admin(args)).then((output) => ({ output }), failure)
      user.write(`${JSON.stringify(reply)}\n`)
    }
  })
}

function failure(error: unknown): { error: string } {
  return { error: error instanceof Error ? error.message : String(error) }
}

async function keep(options: KeeperOptions): Promise<void> {
  const users = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined
  const leave = async (): Promise<void> => {
    listener.close()
    await running.then(({ stop }) => stop()).catch(() => {})
    process.exit()
  }
  const listener = createServer((user) => {
    clearTimeout(timer)
    users.add(user)
    user.on('error', () => {})
    user.on('close', () => {
      users.delete(user)
      if (users.size === 0) timer = setTimeout(leave, options.lingerMs)
    })
    serve(user, running)
    running
      .then(({ endpoint, accessKeyId, secretAccessKey }) => ({ endpoint, accessKeyId, secretAccessKey }), failure)
      .then((line: KeeperLine) => user.write(`${JSON.stringify(line)}\n`))
  })
  await listen(listener, options.socket)
  const running = start(options)
  running.catch(() => {
    listener.close()
    timer = setTimeout(leave, 1000)
  })
  timer = setTimeout(leave, PATIENCE_MS)
}

/** Ends this process where another one already listens; takes the place of one that died. */
async function listen(listener: ReturnType<typeof createServer>, path: string): Promise<void> {
  const tried = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    listener.once('error', resolve).listen(path, () => resolve(undefined))
  })
  if (tried === undefined) return
  if (tried.code !== 'EADDRINUSE') throw tried
  await new Promise<void>((resolve) => {
    connect(path)
      .once('connect', () => process.exit())
      .once('error', () => resolve())
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve) => {
    listener.once('error', () => process.exit()).listen(path, () => resolve())
  })
}

await keep(JSON.parse(process.argv[2] ?? '') as KeeperOptions)
