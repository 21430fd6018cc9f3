/** Merging of index fragments. A fragment is a set of facts, so their union says the same; what is dead is left out. */
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import type { Target } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { MergedFragment } from '../../workers/prune/fragments.ts'
import type { VaultPlain } from '../../workers/segments/vault.ts'
import type { Session, Thread } from '../../workers/threads/rpc.ts'
import { getOrUndefined } from '../index-set.ts'
import { indexKey, PREFIX, parseKey } from '../keys-layout.ts'
import { currentVault } from './contents.ts'
import type { PruneOptions } from './types.ts'

export interface MergeOptions {
  target: Target
  vault: VaultPlain
  /** As `ContentsOptions.renew`. */
  renew?: (() => Promise<VaultPlain>) | undefined
  thread: Thread
  runId: string
  /** Packs that are dead. */
  dead: ReadonlySet<string>
  signal: AbortSignal
  /** Fragments of older key epochs are written again, whatever they say. */
  rekeyOldData?: boolean | undefined
  /** Of a new fragment. For tests; else 32 random bytes in hex. */
  nameOf?: ((raw: Uint8Array) => string) | undefined
}

export interface MergeResult {
  /** Fragments that were replaced. */
  readonly merged: number
  readonly stored: number
}

/** Anybody may do this at any time: the new fragment is there before the ones go that it was made of, and only those go. */
export async function mergeFragments(options: MergeOptions): Promise<MergeResult> {
  const { target, thread, runId, dead, signal, rekeyOldData } = options
  const keys: string[] = []
  for await (const { key } of target.list(PREFIX.index, { signal })) if (parseKey(key)) keys.push(key)
  const names = new Uint8Array(Buffer.from([...dead].join(''), 'hex'))
  const vault = await currentVault(options)
  const session = await thread.open('prune-fragments', { vault, dead: names, runId, rekeyOldData }, {})
  const result = { merged: 0, stored: 0 }
  try {
    const get = async (key: string): Promise<{ key: string; bytes: Uint8Array<ArrayBuffer> | undefined }> => ({
      key,
      bytes: await getOrUndefined(target, key, signal),
    })
    for await (const { key, bytes } of mapBounded(keys, Math.min(8, target.traits.maxConcurrency), get, signal)) {
      if (bytes === undefined) continue
      await replace(await session.call('add', { key, bytes }, [bytes.buffer]), session, options, result)
    }
    await replace(await session.call('flush', null), session, options, result)
    return result
  } finally {
    await session.close().catch(() => undefined)
  }
}

/** The merging of a prune. */
export async function mergeDead(options: PruneOptions, dead: ReadonlySet<string>): Promise<void> {
  await mergeFragments({ ...options, thread: options.threads[0]!, dead, nameOf: options.rules?.fragmentNameOf })
}

async function replace(
  fragment: MergedFragment | null,
  session: Session,
  { target, signal, nameOf = () => hex(randomBytes(32)) }: MergeOptions,
  result: { merged: number; stored: number },
): Promise<void> {
  if (fragment === null) return
  throwIfAborted(signal)
  if (fragment.packs > 0) {
    const key = indexKey(nameOf(fragment.raw))
    await target.put(key, await session.call('seal', { key, raw: fragment.raw }), { signal })
    result.stored++
  }
  throwIfAborted(signal)
  await target.delete(fragment.inputs, { signal })
  result.merged += fragment.inputs.length
}
