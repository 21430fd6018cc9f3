/** Everything that a restore has to give back, by path, by plain means: Holdfast is not asked about Holdfast. */
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

export interface Look {
  readonly paths: Readonly<Record<string, string>>
  readonly bytes: number
}

export function look(root: string): Look {
  const paths: Record<string, string> = {}
  let bytes = 0
  const visit = (path: string): void => {
    const full = join(root, path)
    const stat = lstatSync(full, { bigint: true })
    paths[path] = describe(full, stat)
    if (stat.isFile()) bytes += Number(stat.size)
    if (!stat.isDirectory()) return
    for (const name of readdirSync(full).sort()) visit(path === '' ? name : `${path}/${name}`)
  }
  visit('')
  // The root is the caller's folder, and may have any mode and time.
  delete paths['']
  return { paths, bytes }
}

function describe(path: string, { mode, uid, gid, mtimeNs, ...stat }: BigIntStats): string {
  const facts = `${mode.toString(8)} ${uid}:${gid} ${mtimeNs}`
  const type = mode & 0o170000n
  if (type === 0o120000n) return `${facts} -> ${readlinkSync(path)}`
  if (type !== 0o100000n) return facts
  return `${facts} ${stat.nlink} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
}

/** Node sets times as doubles of seconds: a folder that nobody has given a round one may come back so many ns off. */
const TIME_STEP_NS = 120n

function isSame(wanted: string | undefined, found: string | undefined): boolean {
  if (wanted === undefined || found === undefined) return wanted === found
  const [mode, owner, time, ...rest] = wanted.split(' ')
  const [otherMode, otherOwner, otherTime, ...otherRest] = found.split(' ')
  const apartNs = BigInt(time!) - BigInt(otherTime!)
  if (apartNs > TIME_STEP_NS || apartNs < -TIME_STEP_NS) return false
  return mode === otherMode && owner === otherOwner && rest.join(' ') === otherRest.join(' ')
}

/** The first few paths at which the two are not the same, and how. */
export function differences(wanted: Look, found: Look): string[] {
  const paths = new Set([...Object.keys(wanted.paths), ...Object.keys(found.paths)])
  return [...paths]
    .filter((path) => !isSame(wanted.paths[path], found.paths[path]))
    .slice(0, 5)
    .map((path) => `${path}: ${wanted.paths[path] ?? 'nothing'} has become ${found.paths[path] ?? 'nothing'}`)
}
