import type { Zlib } from 'node:zlib'
import { BackupError } from '../errors.ts'

/** What zlib's one-shot calls give with `info: true`, which its types do not tell. */
interface ResultWithEngine {
  readonly buffer: Uint8Array
  readonly engine: Zlib
}

const FREE_BYTES = 2 * 1024 * 1024

/**
 * Output is gathered in buffers of this size, and one that holds all of it saves a copy: decompressing 1 MiB goes
 * from 1.5 to 1.9 GB/s. One byte more than that, since zlib takes a second buffer of the same size when the first is just
 * full, and leaves it to the collector: a verify took 20 % more CPU time and 140 MB more memory. Above 2 MiB, which fits
 * any segment however well it compresses, not more than 64 times the input, so that a generous limit does not become an
 * allocation.
 */
export function outputChunkBytes(inputBytes: number, maxBytes: number): number {
  return Math.max(64, Math.min(maxBytes + 1, Math.max(FREE_BYTES, inputBytes * 64)))
}

/** Runs a one-shot decompression and makes sure that it used all of its input and gave no more than `maxBytes`. */
export function decompress(id: string, segment: Uint8Array, maxBytes: number, run: () => unknown): Uint8Array {
  const { buffer, engine } = attempt(id, run) as ResultWithEngine
  // zlib reads one frame and leaves the rest alone without a word.
  if (engine.bytesWritten !== segment.length) throw failed(id, 'bytes after the end of the compressed data')
  if (buffer.length > maxBytes) throw failed(id, `more than ${maxBytes} bytes`)
  return buffer
}

/** @throws BackupError INVALID_OPTIONS */
export function checkLevel(id: string, level: unknown, min: number, max: number): void {
  if (typeof level === 'number' && Number.isInteger(level) && level >= min && level <= max) return
  throw new BackupError(
    'INVALID_OPTIONS',
    `${id}: level must be an integer from ${min} to ${max}, not ${String(level)}`,
    {
      origin: 'usage',
      details: { option: 'level', min, max, value: String(level) },
    },
  )
}

function attempt(id: string, run: () => unknown): unknown {
  try {
    return run()
  } catch (cause) {
    throw failed(id, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/** The error of a transform that could not do its work. */
export function failed(id: string, reason: string, cause?: unknown): BackupError {
  return new BackupError('TRANSFORM_FAILED', `Transform ${id} failed: ${reason}`, {
    origin: 'transform',
    details: { transform: id, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
