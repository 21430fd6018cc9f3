/** Targets that give back wrongly. */
import { wrapTarget } from '../../../src/targets/target.ts'
import { turn } from '../../../src/testing/target-bench.ts'
import {
  type Body,
  type Broken,
  EMPTY,
  type Memory,
  MISSING,
  RANGE,
  REPLACED,
  RESULT,
  SHORT,
  SIDE_BY_SIDE,
  SIZES,
} from './broken.ts'

const stored = (of: Memory, key: string): Body => of.objects.get(key) as Body

export const READING: Readonly<Record<string, Broken>> = {
  'gives what there is of a range': {
    fails: [SHORT],
    because: /resolved, instead of rejecting/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async get(key, call = {}) {
          const all = await inner.get(key, { signal: call.signal })
          return call.range ? all.slice(call.range.start, call.range.end) : all
        },
      }),
  },
  'takes the end of a range as included': {
    fails: [RANGE],
    because: /2 instead of 1/,
    wrap: (inner) =>
      wrapTarget(inner, {
        get: (key, call = {}) =>
          inner.get(
            key,
            call.range && call.range.end > call.range.start
              ? { range: { ...call.range, end: call.range.end + 1 } }
              : call,
          ),
      }),
  },
  'takes an empty range as no range': {
    fails: [RANGE],
    because: /102400 instead of 0/,
    wrap: (inner) =>
      wrapTarget(inner, {
        get: (key, call = {}) =>
          call.range?.end === 0 ? inner.get(key, { signal: call.signal }) : inner.get(key, call),
      }),
  },
  'takes a range that begins at 0 for one of the last bytes': {
    fails: [RANGE],
    because: /bytes differ/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async get(key, call = {}) {
          const { size } = (await inner.stat(key)) ?? { size: 0 }
          const { start, end } = call.range ?? { start: 1, end: 0 }
          if (start !== 0 || end > size) return await inner.get(key, call)
          return await inner.get(key, { ...call, range: { start: size - end, end: size } })
        },
      }),
  },
  'says the wrong size': {
    fails: [EMPTY, ...SIZES, REPLACED],
    because: /size/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async stat(key, call) {
          const info = await inner.stat(key, call)
          return info && { ...info, size: info.size + 1 }
        },
      }),
  },
  'says that a folder is an object': {
    fails: [MISSING],
    because: /folder of keys/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async stat(key, call) {
          const below = [...inner.objects.keys()].some((each) => each.startsWith(`${key}/`))
          return (await inner.stat(key, call)) ?? (below ? { key, size: 0 } : undefined)
        },
      }),
  },
  'gives its own buffer': {
    fails: [RESULT, SIDE_BY_SIDE],
    because: /fewer than were asked for/,
    wrap: (inner) =>
      wrapTarget(inner, {
        get: (key, call) => inner.get(key, call).then((body) => (call?.range ? body : stored(inner, key))),
      }),
  },
  'gives a slice of a pool': {
    fails: [RESULT],
    because: /3000 bytes at 5 of a buffer of 3010: a slice/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async get(key, call) {
          const body = await inner.get(key, call)
          const pool = new Uint8Array(body.length + 10)
          pool.set(body, 5)
          return pool.subarray(5, 5 + body.length)
        },
      }),
  },
  'gives all who ask at once the same buffer': {
    fails: [SIDE_BY_SIDE],
    because: /one buffer for two/,
    wrap: (inner) => {
      const underWay = new Map<string, Promise<Body>>()
      return wrapTarget(inner, {
        async get(key, call = {}) {
          if (call.range) return await inner.get(key, call)
          const reading = underWay.get(key) ?? turn().then(() => inner.get(key, call))
          underWay.set(key, reading)
          return await reading.finally(() => underWay.delete(key))
        },
      })
    },
  },
}
