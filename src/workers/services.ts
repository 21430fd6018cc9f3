/** The services that run in workers, by name. */
import { BackupError } from '../errors.ts'
import { createBrowse } from './browse.ts'
import { createDiff } from './diff.ts'
import { createErase } from './erase.ts'
import { createHash } from './hash.ts'
import { createIndexBuild } from './index-build.ts'
import { createIngest } from './ingest.ts'
import { createPlace } from './place.ts'
import { createPrune } from './prune.ts'
import { createPruneCopy } from './prune-copy.ts'
import { createPruneFragments } from './prune-fragments.ts'
import { createReliance } from './reliance.ts'
import { createRepair } from './repair.ts'
import { createRestorePlan } from './restore-plan.ts'
import { createRestoreSurvey } from './restore-survey.ts'
import type { Host, Service } from './rpc.ts'
import { createScan } from './scan.ts'
import { createRebuild } from './segment-rebuild.ts'
import { createTree } from './tree.ts'
import { createVerify } from './verify.ts'
import { createZip } from './zip/service.ts'

// biome-ignore lint/suspicious/noExplicitAny: each service knows the type of its own start
type Create = (init: any, host: Host) => Promise<Service>

const SERVICES: Readonly<Record<string, Create>> = {
  browse: createBrowse,
  diff: createDiff,
  erase: createErase,
  hash: createHash,
  index: createIndexBuild,
  ingest: createIngest,
  place: createPlace,
  prune: createPrune,
  'prune-copy': createPruneCopy,
  'prune-fragments': createPruneFragments,
  rebuild: createRebuild,
  reliance: createReliance,
  repair: createRepair,
  'restore-plan': createRestorePlan,
  'restore-survey': createRestoreSurvey,
  scan: createScan,
  tree: createTree,
  verify: createVerify,
  zip: createZip,
  'test:echo': createEcho,
}

export async function createService(name: string, init: unknown, host: Host): Promise<Service> {
  const create = Object.hasOwn(SERVICES, name) ? SERVICES[name] : undefined
  if (!create) throw new BackupError('INTERNAL', `No worker service named ${name}.`, { origin: 'repository' })
  return create(init, host)
}

/** Answers with its arguments: shows that a pool works at all, from source as from the built package. */
async function createEcho(init: unknown, host: Host): Promise<Service> {
  return {
    call(method, args) {
      host.throwIfAborted()
      return method === 'init' ? init : args
    },
  }
}
