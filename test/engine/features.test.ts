/** A newer version has written that more is needed to write here, while this one was open: it stops, and leaves nothing. */
import { expect, it } from 'vitest'
import { contextOf } from '../../src/engine/engine-contexts.ts'
import { type BackupEngine, memoryTarget } from '../../src/index.ts'
import type { Config } from '../../src/model/config.ts'
import { sealConfig } from '../../src/repository/config-chain.ts'
import { configKey } from '../../src/repository/keys-layout.ts'
import { memorySource, testEngine } from '../../src/testing/index.ts'
import { codeOf, keysBelow } from '../faults/support.ts'
import { forgetAll } from '../prune/support.ts'

async function require(engine: BackupEngine, features: Partial<Config['requiredFeatures']>): Promise<void> {
  const { keys, keyring, target } = contextOf(engine)!.repository.repository
  const { n, hash, config } = keys.chain
  const requiredFeatures = { ...config.requiredFeatures, ...features }
  await target.put(configKey(n + 1), sealConfig({ ...config, previousHash: hash, requiredFeatures }, n + 1, keyring))
}

it.each(['encrypted', 'none'] as const)('what a newer version needs to write is noticed: %s', async (kind) => {
  const target = memoryTarget()
  const source = memorySource({ name: 'files', files: { a: 'content', b: 'more' } })
  await using engine = await testEngine({ target, sources: [source], ...(kind === 'none' && { key: 'none' as const }) })
  const { snapshot } = await engine.backup()
  source.set('b', 'other')
  const { snapshot: other } = await engine.backup()
  await forgetAll(engine, [other.id])
  const forget = await engine.planForget({ snapshots: [snapshot.id] })
  const erase = await engine.planErase({ paths: ['files/a'] })
  const repair = await engine.planRepair()
  const prune = await engine.planPrune()
  await require(engine, { write: ['ink'], prune: ['shears'] })
  const before = keysBelow(target, '').filter((key) => !key.startsWith('reports/'))

  const verbs: Record<string, () => Promise<unknown>> = {
    backup: () => engine.backup(),
    annotate: () => engine.annotate(snapshot.id, { addTags: ['x'] }),
    forget: () => engine.forget(forget, { confirm: forget.digest }),
    undo: () => engine.undoForget(other.id),
    erase: () => engine.erase(erase, { confirm: erase.digest }),
    repair: () => engine.repair(repair, { confirm: repair.digest }),
    prune: () => engine.prune(prune, { confirm: prune.digest }),
  }
  for (const [verb, call] of Object.entries(verbs)) expect(await codeOf(call()), verb).toBe('FORMAT_UNSUPPORTED')
  expect(keysBelow(target, '').filter((key) => !key.startsWith('reports/'))).toEqual(before)
  expect(await engine.snapshots().toArray()).toHaveLength(1)
})
