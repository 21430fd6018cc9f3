/**
 * The two objects that are read before there is a key (config and key slots) are short texts of lines, which a person
 * can look at:
 *
 *   holdfast <kind> <version>
 *   <one or more lines of JSON or base64>
 *   <64 hex digits: a MAC or a checksum over every byte above>
 */
import { corrupt, unsupported } from './json-record.ts'

export interface LinesDocument {
  /** Lines between the first and the last, without line feeds. */
  readonly lines: readonly string[]
  /** Every byte before the last line: what `seal` is made over. */
  readonly signed: Uint8Array
  /** 64 lower-case hex digits. */
  readonly seal: string
}

const encoder = new TextEncoder()

/** The bytes that the seal is made over. No line may hold a line feed (JSON does not). */
export function linesToSign(kind: string, version: number, lines: readonly string[]): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${[`holdfast ${kind} ${version}`, ...lines].join('\n')}\n`)
}

/** The whole object: what was signed, and the seal as its last line. */
export function withSeal(signed: Uint8Array, seal: string): Uint8Array<ArrayBuffer> {
  const last = encoder.encode(`${seal}\n`)
  const bytes = new Uint8Array(signed.length + last.length)
  bytes.set(signed)
  bytes.set(last, signed.length)
  return bytes
}

export interface LinesShape {
  kind: string
  /** The newest version this code reads. */
  version: number
  /** Lines between the first and the last. */
  count: number
  maxBytes: number
}

/** OBJECT_CORRUPT when it is not such an object, FORMAT_UNSUPPORTED when it is a newer one. The seal is not checked. */
export function parseLines(bytes: Uint8Array, shape: LinesShape, key?: string): LinesDocument {
  if (bytes.length > shape.maxBytes) throw corrupt(key, `it has more than ${shape.maxBytes} bytes`)
  const [head, ...rest] = decodeText(bytes, key).split('\n')
  const version = headVersion(head!, shape.kind, key)
  if (version > shape.version) throw unsupported(key, `format ${version}`)
  const seal = rest[shape.count] ?? ''
  if (rest.length !== shape.count + 2 || rest[shape.count + 1] !== '' || !/^[0-9a-f]{64}$/.test(seal)) {
    throw corrupt(key, 'it is cut short or its last line is wrong')
  }
  return { lines: rest.slice(0, shape.count), signed: bytes.slice(0, bytes.length - 65), seal }
}

function headVersion(head: string, kind: string, key: string | undefined): number {
  const match = /^holdfast ([a-z-]+) ([1-9][0-9]{0,8})$/.exec(head)
  if (match?.[1] !== kind) throw corrupt(key, 'its first line is wrong')
  return Number(match[2])
}

function decodeText(bytes: Uint8Array, key: string | undefined): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw corrupt(key, 'it is not UTF-8', cause)
  }
}
