/** The gateway that both programs talk to, what it uses itself, and the lines to it. */
import { fork } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startS3, type TestS3 } from '../../test/servers/s3.ts'
import { emptyBucket, s3Client } from '../../test/servers/s3-bucket.ts'
import { cpuMsOf } from '../process-tree.ts'
import type { LineMessage, Traffic } from './line.ts'

export interface Gateway {
  readonly server: TestS3
  /** CPU time of the gateway's processes so far; undefined where they cannot be seen. */
  cpuMs(): number | undefined
  makeBucket(name: string): Promise<void>
  removeBucket(name: string): Promise<void>
  stop(): Promise<void>
}

export interface Line {
  readonly endpoint: string
  /** What has passed since it was last asked. */
  traffic(): Promise<Traffic>
  stop(): void
}

/** The one of HOLDFAST_TEST_S3_ENDPOINT, else one of its own. */
export async function startGateway(): Promise<Gateway> {
  const server = await startS3({ own: !process.env.HOLDFAST_TEST_S3_ENDPOINT })
  const client = s3Client(server)
  const processes = processesOf(server.endpoint)
  return {
    server,
    cpuMs: () => (processes.length === 0 ? undefined : processes.reduce((sum, pid) => sum + cpuMsOf(pid), 0)),
    async makeBucket(Bucket) {
      await client.send(new CreateBucketCommand({ Bucket }))
    },
    async removeBucket(name) {
      // Without it the store would free the memory of large objects later, while something is measured.
      if (server.admin) await server.admin(['bucket', 'rm', `--bucket=${name}`, '--purge-objects', '--bypass-gc'])
      else await emptyBucket(client, name)
    },
    async stop() {
      client.destroy()
      await server.stop()
    },
  }
}

/** All programs of Ceph that run with the configuration which names this port. */
function processesOf(endpoint: string): number[] {
  const port = new URL(endpoint).port
  const configs = new Map<number, string>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      if (/^(radosgw|ceph-osd|ceph-mon)$/.test(args[0] ?? ''))
        configs.set(Number(name), args[args.indexOf('-c') + 1] ?? '')
    } catch {
      // It has ended meanwhile.
    }
  }
  return [...configs].filter(([, config]) => namesPort(config, port)).map(([pid]) => pid)
}

function namesPort(config: string, port: string): boolean {
  try {
    return new RegExp(`:${port}\\b`).test(readFileSync(config, 'utf8'))
  } catch {
    return false
  }
}

export async function openLine(endpoint: string, roundTripMs: number): Promise<Line> {
  const child = fork(fileURLToPath(new URL('line.ts', import.meta.url)), [endpoint, String(roundTripMs)])
  const next = (): Promise<LineMessage> =>
    new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('the line to the gateway is broken'))
      child.once('exit', ended)
      child.once('message', (message) => {
        child.off('exit', ended)
        resolve(message as LineMessage)
      })
    })
  const first = await next()
  if (!('endpoint' in first)) throw new Error('the line to the gateway did not start')
  return {
    endpoint: first.endpoint,
    async traffic() {
      const answer = next()
      child.send('traffic')
      const message = await answer
      if (!('traffic' in message)) throw new Error('the line to the gateway has no answer')
      return message.traffic
    },
    stop: () => child.disconnect(),
  }
}
