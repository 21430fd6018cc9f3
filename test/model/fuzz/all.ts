/** Every decoder. */
import { BINARY_DECODERS } from './binary-decoders.ts'
import { outerDecoders } from './outer-decoders.ts'
import { RECORD_DECODERS } from './record-decoders.ts'
import type { Decoder } from './run.ts'

export async function allDecoders(): Promise<Decoder[]> {
  return [...BINARY_DECODERS, ...RECORD_DECODERS, ...(await outerDecoders())]
}
