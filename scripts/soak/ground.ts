/** Where a soak takes place: a folder, or a bucket of a real server. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { errnoOf } from '../../src/targets/local/errno.ts'
import type { TestS3 } from '../../test/servers/s3.ts'
import { testBucket } from '../../test/servers/s3-bucket.ts'
import { type Place, targetOf } from './settings.ts'

export interface Ground {
  readonly place: Place
  /** For people. */
  readonly name: string
  /** Uploads that were begun and are no objects: parts that a server keeps, or files that have no name yet. */
  unfinished(): Promise<number>
  /** Gives a folder with all its objects as they are: this one, or a copy at `to`. */
  keep(to: string): Promise<string>
  remove(): Promise<void>
}

export function localGround(path: string): Ground {
  return {
    place: { kind: 'local', path },
    name: 'a local folder',
    unfinished: async () => namesIn(join(path, '.tmp')).length,
    keep: async () => path,
    remove: async () => rmSync(path, { recursive: true, force: true }),
  }
}

export async function s3Ground(server: TestS3): Promise<Ground> {
  const bucket = await testBucket(server)
  return {
    place: { kind: 's3', bucket: bucket.place },
    name: "a bucket of Ceph's gateway",
    async unfinished() {
      const { Uploads = [] } = await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }))
      return Uploads.length
    },
    keep: (to) => copyObjects({ kind: 's3', bucket: bucket.place }, to),
    remove: () => bucket.drop(),
  }
}

async function copyObjects(from: Place, path: string): Promise<string> {
  const [near, far] = [targetOf({ kind: 'local', path }), targetOf(from)]
  for await (const { key } of far.list('')) await near.put(key, await far.get(key))
  await Promise.all([near.close(), far.close()])
  return path
}

/** Keys by their first part. */
export async function objectsOf(place: Place): Promise<Map<string, string[]>> {
  const target = targetOf(place)
  const found = new Map<string, string[]>()
  try {
    for await (const { key } of target.list('')) {
      const area = key.slice(0, key.indexOf('/'))
      found.set(area, [...(found.get(area) ?? []), key])
    }
  } finally {
    await target.close()
  }
  return found
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
