/** The services that run in workers, by name. */
import { BackupError } from '../errors.ts'
import { createBrowse } from './browse/service.ts'
import { createIndexBuild } from './chunks/index-build.ts'
import { createDiff } from './diff/service.ts'
import { createHash } from './ingest/hash.ts'
import { createIngest } from './ingest/service.ts'
import { createPruneCopy } from './prune/copy.ts'
import { createPruneFragments } from './prune/fragments.ts'
import { createPrune } from './prune/service.ts'
import { createRepair } from './repair/service.ts'
import { createPlace } from './restore/place.ts'
import { createRestorePlan } from './restore/plan.ts'
import { createRestoreSurvey } from './restore/survey.ts'
import { createErase } from './rewrite/erase.ts'
import { createRebuild } from './segments/segment-rebuild.ts'
import type { Host, Service } from './threads/rpc.ts'
import { createReliance } from './tree/reliance.ts'
import { createScan } from './tree/scan.ts'
import { createTree } from './tree/service.ts'
import { createVerify } from './verify/service.ts'
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
