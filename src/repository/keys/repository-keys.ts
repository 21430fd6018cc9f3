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
  /** Default: the system's time. */
  now?: (() => Date) | undefined
}

export class RepositoryKeys {
  readonly target: Target
  /** The one that everything else seals and opens with: it learns new epochs, and is never replaced. */
  readonly keyring: Keyring
  #chain: ConfigChain
  #holder: SlotHolder | undefined
  readonly #now: () => Date
  #lookedAt: Date

  constructor({ target, keyring, chain, holder, now = () => new Date() }: RepositoryKeysOptions) {
    this.target = target
    this.keyring = keyring
    this.#chain = chain
    this.#holder = holder
    this.#now = now
    this.#lookedAt = now()
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

  /** Whether what is sealed under that epoch can be read. */
  knows(epoch: number): boolean {
    return this.keyring.has(epoch)
  }

  /**
   * Reads the configs that are new, from `target` if one is given: the same place by way of a wrapper. True if there were any.
   * @throws BackupError CONFIG_TAMPERED: also where one that was there is gone; KEY_WRONG: the own key was taken away
   * before a rotation
   */
  async refresh(signal?: AbortSignal, target: Target = this.target): Promise<boolean> {
    const after = this.#chain
    const lookedAt = this.#now()
    const numbers = await listConfigs(target, signal)
    if (!numbers.includes(after.n)) throw tampered(configKey(after.n), 'it is missing')
    const fresh = numbers.filter((n) => n > after.n)
    if (fresh.length > 0) {
      const stored = await readConfigs(target, fresh, signal)
      this.take(followConfigs(stored, { keyring: this.keyring, holder: this.#holder, after }))
    }
    this.#lookedAt = lookedAt
    return fresh.length > 0
  }

  /**
   * Refreshes, unless that was done since then. Before anything is sealed in an engine that is open for long: what is stored
   * after a rotation is not for those who were shut out by it.
   */
  async refreshSince(since: Date, signal?: AbortSignal): Promise<void> {
    if (this.#lookedAt < since) await this.refresh(signal)
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
