/** The ledger of proofs in the repository: read, added to, written as the next number. */
import { corrupt } from '../../model/json-record.ts'
import { decodeLedger, encodeLedger, ledgerName, MAX_LEDGER_BYTES } from '../../model/ledger.ts'
import { PREFIX, parseKey, stateKey } from '../../repository/keys-layout.ts'
import type { Records } from '../../repository/records.ts'
import { type DamagedObject, isDamage } from '../../repository/records-listing.ts'
import { MalformedBytes } from '../../util/bytes.ts'

const KIND = 'verify'
const NAME = 'ledger'
const PLACE = `${PREFIX.state}${KIND}/${NAME}/`
/** Two checks that end at once both succeed; so many at once are a loop somewhere. */
const MAX_ATTEMPTS = 20

/** What a check has to say about packs. */
export interface NewProofs {
  /** Every pack there is: proofs of others are dropped. */
  existing: ReadonlySet<string>
  /** By name in hex: when it was found sound, or undefined where it was found damaged. */
  checked: ReadonlyMap<string, Date | undefined>
}

export class Proofs {
  readonly damaged: DamagedObject[] = []
  private readonly records: Records
  private proved = new Map<string, number>()
  private numbers: number[] = []

  constructor(records: Records) {
    this.records = records
  }

  /** Milliseconds since 1970; 0: never. */
  provedMs(pack: string): number {
    return this.proved.get(ledgerName(pack)) ?? 0
  }

  /** The newest ledger that can be read; a damaged one only means that its packs count as never proved. */
  async load(signal: AbortSignal): Promise<void> {
    this.numbers = []
    for await (const { key } of this.records.target.list(PLACE, { signal })) {
      const parsed = parseKey(key)
      if (parsed?.area === 'state') this.numbers.push(parsed.n)
    }
    this.numbers.sort((a, b) => b - a)
    this.proved = new Map()
    for (const n of this.numbers) {
      const read = await this.read(stateKey(KIND, NAME, n), signal)
      if (!read) continue
      this.proved = read
      return
    }
  }

  private async read(key: string, signal: AbortSignal): Promise<Map<string, number> | undefined> {
    try {
      const stored = await this.records.find(key, { signal })
      return stored && decode(this.records.open('control', key, stored, MAX_LEDGER_BYTES), key)
    } catch (error) {
      if (!isDamage(error)) throw error
      if (!this.damaged.some((each) => each.key === key)) this.damaged.push({ key, error })
      return undefined
    }
  }

  /** Writes the next ledger; what somebody else wrote meanwhile is kept. Older ones are taken away, but for the last. */
  async add(proofs: NewProofs, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      this.merge(proofs)
      const n = (this.numbers[0] ?? 0) + 1
      const key = stateKey(KIND, NAME, n)
      const sealed = this.records.seal('control', key, encodeLedger(this.proved))
      if ((await this.records.create(key, sealed, { signal })) !== 'exists') {
        return this.dropOld(n, signal)
      }
      await this.load(signal)
    }
  }

  private merge({ existing, checked }: NewProofs): void {
    const merged = new Map<string, number>()
    for (const pack of existing) {
      const before = this.proved.get(ledgerName(pack))
      const now = checked.get(pack)?.getTime()
      const latest = checked.has(pack) ? now && Math.max(now, before ?? 0) : before
      if (latest !== undefined) merged.set(ledgerName(pack), latest)
    }
    this.proved = merged
  }

  private async dropOld(newest: number, signal: AbortSignal): Promise<void> {
    const old = this.numbers.filter((n) => n <= newest - 2).map((n) => stateKey(KIND, NAME, n))
    if (old.length > 0) await this.records.target.delete(old, { signal })
  }
}

function decode(bytes: Uint8Array, key: string): Map<string, number> {
  try {
    return decodeLedger(bytes)
  } catch (error) {
    if (error instanceof MalformedBytes) throw corrupt(key, error.message, error)
    throw error
  }
}
