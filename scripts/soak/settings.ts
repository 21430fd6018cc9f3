/** What the scheduler tells a process that it starts, and where everything lies. */
import { join } from 'node:path'
import {
  BackupEngine,
  type Clock,
  type EngineOptions,
  filesystem,
  localTarget,
  rawKey,
  systemClock,
  type Target,
} from '../../src/index.ts'
import { s3Target } from '../../src/targets/s3/index.ts'
import type { S3Place } from '../../test/servers/s3-bucket.ts'
import type { TreeSize } from './tree.ts'

/** Where the repository is; plain data. */
export type Place =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 's3'; readonly bucket: S3Place }

/** What an actor does; roles.ts has the code of each. */
export type Role = 'backup' | 'restore' | 'prune'

export interface Settings {
  readonly role: Role
  /** One process at a time has it. Of a writer also the host of its snapshots. */
  readonly name: string
  /** Of this life: another one for each start. */
  readonly seed: number
  /** Of the whole soak: what all share. */
  readonly soakSeed: number
  /** How often the actor has been started, from 1. */
  readonly life: number
  readonly folder: string
  readonly place: Place
  readonly size: TreeSize
  /** How many times as fast time passes for heartbeats and for what waits for them. */
  readonly hurry: number
  /** Snapshots of each writer that the pruner never forgets. */
  readonly keep: number
}

export const actorFolder = (folder: string, name: string): string => join(folder, 'actors', name)
export const treeOf = (folder: string, name: string): string => join(actorFolder(folder, name), 'tree')
export const manifestOf = (folder: string, name: string, generation: number): string =>
  join(actorFolder(folder, name), 'manifests', `${generation}.json`)

const KEY = rawKey(new Uint8Array(32).fill(11))

export function targetOf(place: Place): Target {
  return place.kind === 'local' ? localTarget(place.path) : s3Target(place.bucket)
}

type Where = Pick<Settings, 'folder' | 'place' | 'hurry'>

/** Backs up the tree of `name`, and can do everything else too. All processes of a soak share one cache. */
export function openEngine(
  { folder, place, hurry }: Where,
  name: string,
  over: Partial<EngineOptions> = {},
): Promise<BackupEngine> {
  return BackupEngine.open({
    target: targetOf(place),
    key: KEY,
    sources: [filesystem({ name: 'data', path: treeOf(folder, name) })],
    host: name,
    clock: hurried(hurry),
    cache: place.kind === 'local' ? 'none' : { directory: join(folder, 'cache') },
    ...over,
  })
}

/** Durations pass faster; what is shown and stored is the time that it is. */
function hurried(factor: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs() * factor,
    sleep: (ms, options) => systemClock.sleep(ms / factor, options),
  }
}
