const SAMPLES = 8
const SAMPLE_BYTES = 512
/** Below this a sample says too little, and compressing costs too little. */
const MIN_BYTES = 1024
/** Bits a byte. Base64 has 6, executables 5 to 7; what is compressed or encrypted has above 7.8. */
const THRESHOLD = 7.8

const counts = new Int32Array(256)
/** n · log2 n */
const nLogN = Float64Array.from({ length: SAMPLES * SAMPLE_BYTES + 1 }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)))

/**
 * Guesses from at most 4 KiB, spread over `buffer[start, end)`, whether compressing would be wasted, as on JPEG, ZIP,
 * zstd or encrypted content. Only a guess: a wrong "no" costs time, a wrong "yes" costs space.
 */
export function looksIncompressible(buffer: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  if (length < MIN_BYTES) return false
  counts.fill(0)
  const total = length <= SAMPLES * SAMPLE_BYTES ? count(buffer, start, end) : countSamples(buffer, start, length)
  return entropy(total) > THRESHOLD
}

function countSamples(buffer: Uint8Array, start: number, length: number): number {
  const step = (length - SAMPLE_BYTES) / (SAMPLES - 1)
  for (let i = 0; i < SAMPLES; i++) {
    const from = start + Math.floor(i * step)
    count(buffer, from, from + SAMPLE_BYTES)
  }
  return SAMPLES * SAMPLE_BYTES
}

function count(buffer: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) counts[buffer[i] as number] = (counts[buffer[i] as number] as number) + 1
  return to - from
}

/** Shannon's entropy with the Miller-Madow correction: a small sample of random bytes looks less random than it is. */
function entropy(total: number): number {
  let sum = 0
  let seen = 0
  for (let i = 0; i < 256; i++) {
    const n = counts[i] as number
    sum += nLogN[n] as number
    if (n > 0) seen++
  }
  return Math.log2(total) - sum / total + (seen - 1) / (2 * total * Math.LN2)
}
