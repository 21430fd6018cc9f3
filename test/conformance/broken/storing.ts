/** Targets that store wrongly. */
import { type PutOptions, wrapTarget } from '../../../src/targets/target.ts'
import { turn } from '../../../src/testing/target-bench.ts'
import {
  BODY,
  type Body,
  type Broken,
  CREATE,
  CREATED,
  DELETE,
  EMPTY,
  HALF_DONE,
  KEYS,
  LIST,
  PREFIX,
  RACE,
  RANGE,
  READS_BACK,
  REFUSES,
  REPLACED,
  SHORT,
  SIZES,
  STOPS,
  THROUGHOUT,
} from './broken.ts'

export const STORING: Readonly<Record<string, Broken>> = {
  'cuts the last byte off': {
    fails: [...READS_BACK, KEYS, LIST],
    because: /'?0'? instead|size: 0|0 instead of 1/,
    wrap: (inner) =>
      wrapTarget(inner, {
        put: (key, body, call) => inner.put(key, body.slice(0, Math.max(0, body.length - 1)), call),
      }),
  },
  'keeps the framing of chunked transfers in the object': {
    fails: [EMPTY, ...READS_BACK, SHORT, KEYS, LIST],
    because: /instead of|size/,
    wrap: (inner) =>
      wrapTarget(inner, {
        put: (key, body, call) =>
          inner.put(
            key,
            new Uint8Array(
              Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]),
            ),
            call,
          ),
      }),
  },
  'replaces in two steps': {
    fails: [REPLACED],
    because: /neither the old nor the new/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async put(key, body, call = {}) {
          if (call.ifAbsent) return await inner.put(key, body, call)
          await inner.put(key, body.slice(0, body.length >> 1), call)
          await turn()
          return await inner.put(key, body, call)
        },
      }),
  },
  'creates in two steps': {
    fails: [CREATED, HALF_DONE],
    because: /neither the old nor the new|256000 !== 512000/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async put(key, body, call = {}) {
          if (!call.ifAbsent) return await inner.put(key, body, call)
          if (!(await inner.put(key, body.slice(0, body.length >> 1), call))) return false
          await turn()
          return await inner.put(key, body, { signal: call.signal })
        },
      }),
  },
  'lists an object only when the next one is put': {
    fails: [CREATED, REPLACED, KEYS, LIST, PREFIX, THROUGHOUT, STOPS, DELETE],
    because: /list once the put has resolved: 1 of 1 missing/,
    wrap: (inner) => {
      let newest = ''
      return wrapTarget(inner, {
        async put(key, body, call) {
          newest = key
          return await inner.put(key, body, call)
        },
        async *list(prefix, call) {
          for await (const info of inner.list(prefix, call)) if (info.key !== newest) yield info
        },
      })
    },
  },
  'ignores ifAbsent': {
    fails: [CREATE, RACE],
    because: /true.*false/s,
    wrap: (inner) => wrapTarget(inner, { put: (key, body, call) => inner.put(key, body, { signal: call?.signal }) }),
  },
  'checks, waits, then creates': {
    fails: [RACE],
    because: /16 of 16 were told/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async put(key: string, body: Body, options: PutOptions = {}) {
          if (options.ifAbsent && (await inner.stat(key, options))) return false
          await turn()
          return await inner.put(key, body, { signal: options.signal })
        },
      }),
  },
  'keeps the body': {
    fails: [BODY],
    because: /bytes differ/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async put(key, body, call) {
          const created = await inner.put(key, body, call)
          if (created) (inner.objects as Map<string, Uint8Array>).set(key, body)
          return created
        },
      }),
  },
  'gives the body away': {
    fails: [BODY, ...SIZES, RANGE, REPLACED, CREATED, HALF_DONE],
    because: /given away/,
    wrap: (inner) =>
      wrapTarget(inner, {
        put: (key, body, call) => inner.put(key, structuredClone(body, { transfer: [body.buffer] }), call),
      }),
  },
  'takes A for a': {
    fails: [REFUSES],
    because: /put of ".*aA" resolved, instead of rejecting/,
    wrap: (inner) => wrapTarget(inner, { put: (key, body, call) => inner.put(key.toLowerCase(), body, call) }),
  },
  'cleans keys up': {
    fails: [REFUSES],
    because: /resolved, instead of rejecting/,
    wrap: (inner) =>
      wrapTarget(inner, { put: (key, body, call) => inner.put(key.replace(/^\/|\.\.\//, ''), body, call) }),
  },
}
