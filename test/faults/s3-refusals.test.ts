/** A gateway that refuses, from the beginning or in the middle: the error says why, nothing is lost, the next run goes on. */
import { DeleteBucketPolicyCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Target, wrapTarget } from '../../src/index.ts'
import type { S3Credentials } from '../../src/targets/s3/index.ts'
import { noise } from '../engine/browse/browse-fixture.ts'
import { startS3, type TestS3 } from '../servers/s3.ts'
import { type Kept, kept } from './s3-support.ts'

type Admin = NonNullable<TestS3['admin']>

let server: TestS3
let admin: Admin
let here: Kept | undefined

beforeAll(async () => {
  const given = await startS3()
  // Users and quotas are changed: where the server is somebody else's, that is done on one of our own.
  server = given.admin ? given : await startS3({ own: true })
  admin = server.admin!
}, 200_000)
afterEach(async () => {
  await here?.drop()
  here = undefined
})
afterAll(() => server?.stop())

const started = async (): Promise<Kept> => {
  here = await kept(server)
  return here
}

async function forbid({ bucket }: Kept, ...Action: string[]): Promise<void> {
  const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`]
  const Statement = [{ Effect: 'Deny', Principal: '*', Action, Resource }]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }))
}

/**
 * Calls `once` before the nth pack is put, and puts no other meanwhile: for a moment while a key is removed, Ceph finds the
 * user by it and then not the key in the user, which it answers as if a right were missing.
 */
function beforePack(inner: Target, nth: number, once: () => Promise<void>): Target {
  let packs = 0
  let done: Promise<void> | undefined
  return wrapTarget(inner, {
    async put(key, body, options) {
      if (key.startsWith('packs/') && ++packs === nth) done = once()
      if (key.startsWith('packs/')) await done
      return await inner.put(key, body, options)
    },
  } satisfies Partial<Target>)
}

describe('an engine is not opened', () => {
  it('with a wrong key, a wrong secret or in a bucket that is not there', async () => {
    const { at, open, bucket, expectGoesOn } = await started()
    const { accessKeyId, secretAccessKey } = bucket.place.credentials
    const unknown = { accessKeyId: 'nobody', secretAccessKey }
    const wrong = { accessKeyId, secretAccessKey: 'x'.repeat(40) }
    for (const credentials of [unknown, wrong, async () => unknown]) {
      await expect(open(at({ credentials }))).rejects.toMatchObject({ code: 'TARGET_AUTH', retryable: false })
    }
    const nowhere = open(at({ bucket: 'there-is-no-such-bucket' }))
    await expect(nowhere).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND', retryable: false })
    await expectGoesOn()
  })

  it('where the bucket may not be listed or read', async () => {
    const state = await started()
    for (const action of ['s3:ListBucket', 's3:GetObject']) {
      await forbid(state, action)
      await expect(state.open()).rejects.toMatchObject({ code: 'TARGET_DENIED', retryable: false })
    }
    await state.bucket.client.send(new DeleteBucketPolicyCommand({ Bucket: state.bucket.name }))
    await state.expectGoesOn()
  })

  it('by a clock that is an hour off only until the gateway has told the time', async () => {
    const { at, expectGoesOn } = await started()
    const skewed = at({ systemClockOffset: -3_600_000 })
    await expect(skewed.put('notes/x', new Uint8Array(1))).rejects.toMatchObject({
      code: 'TARGET_AUTH',
      retryable: true,
    })
    await expectGoesOn(at({ systemClockOffset: 3_600_000 }))
  })
})

describe('a backup', () => {
  it('that may not put fails, and leaves what was there', async () => {
    const state = await started()
    const engine = await state.open()
    await forbid(state, 's3:PutObject')
    await expect(engine.backup()).rejects.toMatchObject({ code: 'TARGET_DENIED', retryable: false })
    await state.bucket.client.send(new DeleteBucketPolicyCommand({ Bucket: state.bucket.name }))
    await engine.backup()
    await engine.close()
    await state.expectGoesOn()
  })

  it('needs no right to delete', async () => {
    const state = await started()
    await forbid(state, 's3:DeleteObject')
    const target = state.at()
    await expect(target.delete([`snapshots/${state.first}`])).rejects.toMatchObject({ code: 'TARGET_DENIED' })
    await state.expectGoesOn(target)
  })

  it('whose quota ends in the middle says so, and the next one is whole', async () => {
    const state = await started()
    state.source.set('more', noise(40_000_000, 5))
    const limit = async (objects: number): Promise<void> => {
      const quota = ['--quota-scope=bucket', `--bucket=${state.bucket.name}`]
      await admin(['quota', 'set', ...quota, `--max-objects=${objects}`])
      await admin(['quota', objects < 0 ? 'disable' : 'enable', ...quota])
    }
    const target = state.at()
    let stored = 0
    const counting = beforePack(target, 2, () => limit(1).then(() => void stored++))
    const engine = await state.open(counting)
    await expect(engine.backup()).rejects.toMatchObject({ code: 'TARGET_FULL', retryable: false })
    expect(stored).toBe(1)
    await limit(-1)
    await engine.backup()
    await engine.close()
    await state.expectGoesOn()
  }, 60_000)
})

describe('keys that are taken back during a run', () => {
  const newKeys = async (): Promise<S3Credentials> => {
    const accessKeyId = `key${Math.random().toString(36).slice(2)}`
    const secretAccessKey = Buffer.from(noise(20, Math.random() * 1e6)).toString('hex')
    await admin([
      'key',
      'create',
      '--uid=holdfast',
      '--key-type=s3',
      `--access-key=${accessKeyId}`,
      `--secret=${secretAccessKey}`,
    ])
    return { accessKeyId, secretAccessKey }
  }
  const revoke = async ({ accessKeyId }: S3Credentials): Promise<void> => {
    await admin(['key', 'rm', '--uid=holdfast', '--key-type=s3', `--access-key=${accessKeyId}`])
  }

  it('end it with TARGET_AUTH where they were given as such; and the next one goes on', async () => {
    const state = await started()
    state.source.set('more', noise(20_000_000, 6))
    const credentials = await newKeys()
    const engine = await state.open(beforePack(state.at({ credentials }), 2, () => revoke(credentials)))
    await expect(engine.backup()).rejects.toMatchObject({ code: 'TARGET_AUTH', retryable: false })
    await engine.close()
    await state.expectGoesOn()
  }, 60_000)

  it('are asked for again where a function gives them, and the run goes on', async () => {
    const state = await started()
    state.source.set('more', noise(20_000_000, 7))
    let current = await newKeys()
    let asked = 0
    const credentials = async (): Promise<S3Credentials> => {
      asked++
      return current
    }
    const renew = async (): Promise<void> => {
      const old = current
      current = await newKeys()
      await revoke(old)
    }
    const engine = await state.open(beforePack(state.at({ credentials }), 2, renew))
    const retries: string[] = []
    engine.on('target:retry', ({ error }) => retries.push(error.code))
    await engine.backup()
    expect(asked).toBe(2)
    expect(new Set(retries)).toEqual(new Set(['TARGET_AUTH']))
    await revoke(current)
    // The function has the same ones again, which are not known any more.
    await expect(engine.backup()).rejects.toMatchObject({ code: 'TARGET_AUTH' })
    await engine.close()
    await state.expectGoesOn()
  }, 60_000)
})
