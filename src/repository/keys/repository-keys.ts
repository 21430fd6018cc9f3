/**
 * The keys of an open repository, and the configs that say which slots count. An engine may be open for weeks while others
 * change them: `refresh` learns what is new.
 */
import type { Keyring } from '../../crypto/keyring.ts'
import type { Config, SlotRecord } from '../../model/config.ts'
import type { Target } from '../../targets/target.ts'
import { type ConfigChain, type Followed, followConfigs, readConfigs, tampered } from '../config-chain.ts'
import type { SlotHolder } from '../key-slots.ts'
import { configKey, PREFIX, parseKey } from '../keys-layout.ts'

export interface RepositoryKeysOptions extends Followed {
  target: Target
  /** Absent where the repository is not encrypted. */
  holder?: SlotHolder | undefined
}

export class RepositoryKeys {
  readonly target: Target
  /** The one that everything else seals and opens with: it learns new epochs, and is never replaced. */
  readonly keyring: Keyring
  #chain: ConfigChain
  #holder: SlotHolder | undefined

  constructor({ target, keyring, chain, holder }: RepositoryKeysOptions) {
    this.target = target
    this.keyring = keyring
    this.#chain = chain
    this.#holder = holder
  }

  get config(): Config {
    return this.#chain.config
  }

  get chain(): ConfigChain {
    return this.#chain
  }

  /** The slot that this repository was opened with. */
  get holder(): SlotHolder | undefined {
    return this.#holder
  }

  /** The slots that count, by id. */
  get slots(): Readonly<Record<string, SlotRecord>> {
    return this.config.slots ?? {}
  }

  /**
   * Reads the configs that are new. True if there were any.
   * @throws BackupError CONFIG_TAMPERED: also where one that was there is gone; KEY_WRONG: the own key was taken away
   * before a rotation
   */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    if (!this.keyring.encrypted) return false
    const after = this.#chain
    const numbers = await listConfigs(this.target, signal)
    if (!numbers.includes(after.n)) throw tampered(configKey(after.n), 'it is missing')
    const fresh = numbers.filter((n) => n > after.n)
    if (fresh.length === 0) return false
    const stored = await readConfigs(this.target, fresh, signal)
    this.take(followConfigs(stored, { keyring: this.keyring, holder: this.#holder, after }))
    return true
  }

  /** Goes on from here; the own slot may have been exchanged for another one. */
  take({ chain, keyring }: Followed, holder = this.#holder): void {
    this.keyring.adopt(keyring)
    this.#holder = holder
    if (chain.n > this.#chain.n) this.#chain = chain
  }
}

export async function listConfigs(target: Target, signal?: AbortSignal): Promise<number[]> {
  const numbers: number[] = []
  for await (const { key } of target.list(PREFIX.config, { signal })) {
    const parsed = parseKey(key)
    if (parsed?.area === 'config') numbers.push(parsed.n)
  }
  return numbers
}

/** Object keys of all key slots, whether they count or not. */
export async function listSlots(target: Target, signal?: AbortSignal): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(PREFIX.keys, { signal })) if (parseKey(key)?.area === 'keys') keys.push(key)
  return keys
}
