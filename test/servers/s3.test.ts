import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { startS3 } from './s3.ts'
import { testBucket } from './s3-bucket.ts'

function answers(endpoint: string): Promise<boolean> {
  const { hostname, port } = new URL(endpoint)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

describe('the S3 server of the tests', () => {
  it('is one for all who ask, and gives buckets', async () => {
    const [one, two] = await Promise.all([startS3(), startS3()])
    expect(two.endpoint).toBe(one.endpoint)
    const bucket = await testBucket(one, { objectLock: true })
    const at = { Bucket: bucket.name, Key: 'a' }
    await bucket.client.send(new PutObjectCommand({ ...at, Body: Buffer.from('one') }))
    await bucket.client.send(new PutObjectCommand({ ...at, Body: Buffer.from('two') }))
    const { Body } = await bucket.client.send(new GetObjectCommand(at))
    expect(await Body?.transformToString()).toBe('two')
    await bucket.drop()
    await one.stop()
    await two.stop()
  }, 200_000)

  it('ends with the processes that use it, even killed ones', async () => {
    const module = fileURLToPath(new URL('s3.ts', import.meta.url))
    const code = `const { startS3 } = await import(${JSON.stringify(module)})
      const { endpoint, admin } = await startS3({ own: true })
      console.log(JSON.stringify({ endpoint, users: await admin(['user', 'list']) })); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (bytes) => resolve(String(bytes))))
    const { endpoint, users } = JSON.parse(line) as { endpoint: string; users: string }
    expect(users).toContain('holdfast')
    expect(await answers(endpoint)).toBe(true)
    child.kill('SIGKILL')
    let up = true
    for (let i = 0; i < 200 && up; i++) {
      await sleep(50)
      up = await answers(endpoint)
    }
    expect(up).toBe(false)
  }, 200_000)
})
