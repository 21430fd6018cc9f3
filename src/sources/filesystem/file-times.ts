/**
 * Setting modification times. Node takes seconds as a double, and has no other way (nodejs/node#50859, libuv/libuv#4841),
 * so nanoseconds cannot be had: a double near today's date steps by 238 ns. What comes out is the nearest step, at most
 * 120 ns off, and always within the same second, which is what `rsync` and `make` compare by. (libuv before 1.52, in older
 * versions of Node, cuts to microseconds.) Measured in test/sources/filesystem/file-times.test.ts.
 */
import { futimesSync, lutimesSync, utimesSync } from 'node:fs'

/** The argument for Node's utimes calls that comes nearest to `ns` after 1970 without leaving its second. */
export function secondsOf(ns: bigint): number | string {
  const whole = Number(ns / NS - (ns % NS < 0n ? 1n : 0n))
  const fraction = Number(ns - BigInt(whole) * NS) / 1e9
  // libuv cuts what is below a nanosecond: -1 ns must come out of one division, not be a hair above it.
  const nearest = whole === -1 ? Number(ns) / 1e9 : whole + fraction
  const seconds = nearest < whole + 1 ? nearest : before(whole + 1)
  // A negative number means 'now' to Node, a text of one does not.
  return seconds < 0 ? String(seconds) : seconds
}

const NS = 1_000_000_000n

/** The largest double that is smaller than a whole number of seconds. */
function before(whole: number): number {
  if (whole === 0) return -1e-9
  const step = 2 ** (Math.floor(Math.log2(Math.abs(whole))) - 52)
  const below = whole - step / 2
  return below < whole ? below : whole - step
}

export function setOpenTimes(fd: number, mtimeNs: bigint): void {
  const seconds = secondsOf(mtimeNs)
  futimesSync(fd, seconds, seconds)
}

/** Of a folder or file; a link in the last place is followed. */
export function setTimes(path: string | Buffer, mtimeNs: bigint): void {
  const seconds = secondsOf(mtimeNs)
  utimesSync(path, seconds, seconds)
}

/** Of a link itself. */
export function setLinkTimes(path: string | Buffer, mtimeNs: bigint): void {
  const seconds = secondsOf(mtimeNs)
  lutimesSync(path, seconds, seconds)
}
