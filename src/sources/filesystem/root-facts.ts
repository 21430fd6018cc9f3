/** The facts of a source's root folder. It is no entry (its path would be empty), so they go with the source's own facts. */
import { stat } from 'node:fs/promises'
import { z } from 'zod'
import type { Json } from '../../errors.ts'
import { type EntryMeta, TYPE_DIRECTORY, withXattrs } from '../../model/entry.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { ScanPlan } from '../source.ts'
import { metaFromStat, nativePath } from './stat.ts'
import { askXattrs } from './xattrs.ts'

const wholeNumber = z.int().min(0)
const schema = z.object({
  mode: wholeNumber.max(0o7777),
  uid: wholeNumber,
  gid: wholeNumber,
  mtimeNs: z.string().regex(/^-?\d{1,19}$/),
  xattrs: z.exactOptional(z.record(z.string(), z.string())),
})

/** Null where there are several roots (each is an entry then), it is a single file, or it is gone. */
export async function describeRoot({ roots, xattrs }: ScanPlan): Promise<Json> {
  const [root] = roots
  if (root === undefined || root.prefix !== '') return null
  const found = await stat(nativePath(userToLatin1(root.path)), { bigint: true }).catch(() => null)
  if (!found?.isDirectory()) return null
  const { mode = 0, uid = 0, gid = 0, mtimeNs = 0n } = metaFromStat('', found)
  const path = userToLatin1(root.path)
  const own = xattrs && (await askXattrs([path], true)).found.get(path)
  return { mode, uid, gid, mtimeNs: String(mtimeNs), ...(own && { xattrs: own }) }
}

/** What `describeRoot` gave, or null for facts of another making. */
export function rootMeta(facts: Json | undefined): EntryMeta | null {
  const parsed = schema.safeParse(facts)
  if (!parsed.success) return null
  const { mtimeNs, xattrs, ...rest } = parsed.data
  const meta = { path: '', type: TYPE_DIRECTORY, mtimeNs: BigInt.asIntN(64, BigInt(mtimeNs)), ...rest }
  return xattrs === undefined ? meta : withXattrs(meta, xattrs)
}
