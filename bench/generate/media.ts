/** Already compressed content: the header of a format, then bytes that look random. */
import type { Random } from './random.ts'

const HEADERS = {
  jpg: [0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 72, 0, 72, 0, 0, 0xff, 0xdb, 0, 67, 0],
  png: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 4, 0, 0, 0, 3, 0],
  zip: [0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0, 0x21, 0x58, 0x9a, 0x5c],
  mp4: [0, 0, 0, 24, 0x66, 0x74, 0x79, 0x70, 0x6d, 0x70, 0x34, 0x32, 0, 0, 0, 0],
} as const

export type MediaFormat = keyof typeof HEADERS
export const MEDIA_FORMATS = Object.keys(HEADERS) as MediaFormat[]

/** Random bytes over all of `out`. */
export function writeNoise(out: Uint8Array, random: Random): void {
  let at = 0
  for (; at + 4 <= out.length; at += 4) {
    const bits = random.next()
    out[at] = bits
    out[at + 1] = bits >>> 8
    out[at + 2] = bits >>> 16
    out[at + 3] = bits >>> 24
  }
  for (; at < out.length; at++) out[at] = random.next()
}

export function writeMedia(out: Uint8Array, random: Random, format: MediaFormat): void {
  writeNoise(out, random)
  out.set(HEADERS[format].slice(0, out.length))
}
