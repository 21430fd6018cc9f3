/** Gives a decoder its inputs. Nothing may come of it but a value or an error of a type, soon, and with little memory. */
import { BackupError } from '../../../src/errors.ts'
import { MalformedBytes } from '../../../src/util/bytes.ts'
import { inputsFrom } from './inputs.ts'

export interface Decoder {
  name: string
  /** Valid encodings: each is taken. */
  samples: readonly Uint8Array[]
  /** The samples are JSON. */
  json?: boolean
  decode(bytes: Uint8Array): unknown
}

export interface Tally {
  name: string
  inputs: number
  taken: number
  refused: number
  slowestMs: number
  /** The most that buffers grew by one input. */
  mostBytes: number
}

/** A machine that is busy with other work may take long for anything. */
const MAX_MS = 2000
/** No sample is larger than some kilobytes. */
const MAX_BYTES = 16 * 2 ** 20

export async function fuzz({ name, samples, json = false, decode }: Decoder, count: number, seed = 1): Promise<Tally> {
  const tally: Tally = { name, inputs: 0, taken: 0, refused: 0, slowestMs: 0, mostBytes: 0 }
  for (const sample of samples) if (!(await isTaken(decode, sample, tally))) throw new Error(`${name} refuses a sample`)
  for (const input of inputsFrom(samples, json, count, seed)) {
    tally.inputs++
    const taken = await isTaken(decode, input, tally).catch((cause: unknown) => {
      throw new Error(`${name}: ${Buffer.from(input).toString('base64')}`, { cause })
    })
    if (taken) tally.taken++
    else tally.refused++
  }
  return tally
}

async function isTaken(decode: Decoder['decode'], input: Uint8Array, tally: Tally): Promise<boolean> {
  const before = process.memoryUsage().arrayBuffers
  const began = performance.now()
  try {
    await decode(new Uint8Array(input))
    return true
  } catch (error) {
    if (error instanceof MalformedBytes || (BackupError.is(error) && error.code !== 'INTERNAL')) return false
    throw error
  } finally {
    note(tally, performance.now() - began, process.memoryUsage().arrayBuffers - before)
  }
}

function note(tally: Tally, ms: number, bytes: number): void {
  tally.slowestMs = Math.max(tally.slowestMs, ms)
  tally.mostBytes = Math.max(tally.mostBytes, bytes)
  if (ms > MAX_MS) throw new Error(`it took ${Math.round(ms)} ms`)
  if (bytes > MAX_BYTES) throw new Error(`it took ${bytes} bytes`)
}
