/**
 * `state/verify/ledger/<n>`: when each pack was last read whole and found sound, so that a check of a part can begin with
 * what was proved longest ago. Each holds all of it; the highest number wins.
 *
 *   ledger = u32 version, u32 packs, each pack: 16 bytes (first half of its name), u32 seconds since 1970
 */
import { ByteReader, ByteWriter, MalformedBytes } from '../util/bytes.ts'

const VERSION = 1
/** Names are hashes: half of one names a pack as surely, and a terabyte's ledger takes 1.3 MB. */
const NAME_BYTES = 16
const ROW_BYTES = NAME_BYTES + 4
/** Hex digits of a pack's name that stand in the ledger. */
export const LEDGER_NAME_DIGITS = NAME_BYTES * 2
/** 3 million packs: 50 TB. */
export const MAX_LEDGER_BYTES = 60 * 1024 * 1024

/** Last proof by the first half of the pack's name in hex; milliseconds since 1970. */
export type Ledger = ReadonlyMap<string, number>

export function ledgerName(pack: string): string {
  return pack.slice(0, LEDGER_NAME_DIGITS)
}

export function encodeLedger(ledger: Ledger): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(8 + ledger.size * ROW_BYTES)
  out.u32(VERSION)
  out.u32(ledger.size)
  for (const [name, provedMs] of [...ledger].sort(([a], [b]) => (a < b ? -1 : 1))) {
    out.raw(Buffer.from(name, 'hex'))
    out.u32(Math.max(0, Math.floor(provedMs / 1000)) % 2 ** 32)
  }
  return out.copy()
}

/** @throws MalformedBytes */
export function decodeLedger(bytes: Uint8Array): Map<string, number> {
  const input = new ByteReader(bytes)
  if (input.u32() !== VERSION) throw new MalformedBytes('not a ledger of a known version')
  const count = input.u32()
  if (count * ROW_BYTES !== bytes.length - 8) throw new MalformedBytes('ledger of another length')
  const ledger = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const name = input.raw(NAME_BYTES).toString('hex')
    ledger.set(name, input.u32() * 1000)
  }
  return ledger
}
