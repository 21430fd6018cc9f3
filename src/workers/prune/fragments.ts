/** Worker service 'prune-fragments': merges index fragments, and leaves out what they say of packs that are dead. */
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import { decodeBoxHeader, MAX_BOX_RAW_BYTES } from '../../model/box.ts'
import { decodeFragment, encodeFragment, type PackFacts } from '../../model/fragment.ts'
import { decodeDirectory } from '../../model/pack.ts'
import { MalformedBytes } from '../../util/bytes.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import type { Service } from '../threads/rpc.ts'

export interface FragmentsInit {
  vault: VaultPlain
  /** Names of dead packs, 32 bytes each. */
  dead: Uint8Array
  runId: string
  /** Those of older key epochs are written again, too. */
  rekeyOldData?: boolean | undefined
}

export interface FragmentJob {
  key: string
  bytes: Uint8Array
}

/** What is to be stored. Once it is, `inputs` say nothing that it does not. */
export interface MergedFragment {
  raw: Uint8Array<ArrayBuffer>
  packs: number
  inputs: string[]
}

/** A fragment of this size is left alone, unless it names dead packs. */
const LARGE_BYTES = 4 * 1024 * 1024
/** No merged one becomes larger, unless a single pack's directory is. */
const MERGED_BYTES = 16 * 1024 * 1024

export async function createPruneFragments(init: FragmentsInit): Promise<Service> {
  return new FragmentMerge(await createVault(init.vault), init)
}

class FragmentMerge implements Service {
  private readonly vault: Vault
  private readonly runId: string
  private readonly rekeyOldData: boolean
  private readonly dead = new Set<string>()
  private packs: PackFacts[] = []
  private bytes = 0
  private inputs: string[] = []
  /** Packs that are left out, and fragments of older epochs: reasons to write a single fragment again. */
  private dropped = 0

  constructor(vault: Vault, { dead, runId, rekeyOldData = false }: FragmentsInit) {
    this.rekeyOldData = rekeyOldData
    this.vault = vault
    this.runId = runId
    const names = Buffer.from(dead.buffer, dead.byteOffset, dead.length)
    for (let at = 0; at < names.length; at += 32) this.dead.add(names.toString('latin1', at, at + 32))
  }

  call(method: string, args: unknown): unknown {
    if (method === 'add') return this.add(args as FragmentJob)
    if (method === 'flush') return this.flush()
    if (method === 'seal') return this.seal(args as { key: string; raw: Uint8Array })
    throw new BackupError('INTERNAL', `prune-fragments has no method ${method}`, { origin: 'repository' })
  }

  /** Null, unless enough has come together. One that cannot be read stays as it is. */
  private add({ key, bytes }: FragmentJob): MergedFragment | null {
    const found = this.open(key, bytes)
    if (!found) return null
    const live = found.packs.filter(({ name }) => !this.dead.has(latin1(name)))
    const isOld = this.rekeyOldData && found.epoch < this.vault.keyring.newestEpoch
    const dropped = found.packs.length - live.length + (isOld ? 1 : 0)
    if (dropped === 0 && found.rawBytes >= LARGE_BYTES) return null
    const full = this.bytes > 0 && this.bytes + found.rawBytes > MERGED_BYTES ? this.flush() : null
    this.dropped += dropped
    this.inputs.push(key)
    const known = new Set(this.packs.map(({ name }) => latin1(name)))
    this.packs.push(...live.filter(({ name }) => !known.has(latin1(name))))
    this.bytes += live.reduce((sum, { directory }) => sum + directory.length, 0)
    return full
  }

  /** Null where a single fragment would only be written again. Where nothing is left to say, there are no packs in it. */
  private flush(): MergedFragment | null {
    const { packs, inputs, dropped } = this
    this.packs = []
    this.bytes = 0
    this.inputs = []
    this.dropped = 0
    if (inputs.length === 0 || (inputs.length === 1 && dropped === 0)) return null
    return { raw: encodeFragment({ runId: this.runId, packs }, randomBytes(32)), packs: packs.length, inputs }
  }

  private seal({ key, raw }: { key: string; raw: Uint8Array }): Uint8Array {
    return this.vault.sealer.seal('index', raw, { bind: key, compress: true })
  }

  private open(key: string, bytes: Uint8Array): { packs: PackFacts[]; rawBytes: number; epoch: number } | undefined {
    try {
      const { epoch } = decodeBoxHeader(bytes, 0).header
      const options = { cls: 'index', bind: key, maxRawBytes: MAX_BOX_RAW_BYTES, whole: true } as const
      const { raw } = this.vault.opener.open(bytes, 0, options)
      const { packs } = decodeFragment(raw)
      for (const pack of packs) decodeDirectory(pack.directory)
      return { packs, rawBytes: raw.length, epoch }
    } catch (error) {
      if (error instanceof MalformedBytes || (BackupError.is(error) && error.origin === 'repository')) return undefined
      throw error
    }
  }
}

function latin1(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}
