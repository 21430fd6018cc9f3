/** Targets that list or delete wrongly. */

import { checkPrefix } from '../../../src/targets/checks.ts'
import { type CallSignal, type ObjectInfo, wrapTarget } from '../../../src/targets/target.ts'
import { turn } from '../../../src/testing/target-bench.ts'
import { type Broken, DELETE, DELETE_MISSING, KEYS, LIST, type Memory, PREFIX, THROUGHOUT } from './broken.ts'

export const LISTING: Readonly<Record<string, Broken>> = {
  'loses the second page of a listing': {
    fails: [LIST],
    because: /list, while .*: 10 of 1010 missing, first/,
    profile: 'full',
    wrap: (inner) =>
      wrapTarget(inner, {
        async *list(prefix, call) {
          let count = 0
          for await (const info of inner.list(prefix, call)) if (count++ < 1000) yield info
        },
      }),
  },
  'lists a page twice': {
    fails: [LIST],
    because: /more than once/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async *list(prefix, call) {
          const page: ObjectInfo[] = []
          for await (const info of inner.list(prefix, call)) {
            yield info
            if (page.push(info) === 100) yield* page
          }
        },
      }),
  },
  'takes a prefix for a folder': {
    fails: [PREFIX],
    because: /prefix a: \d of 4 missing/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => below(inner, prefix, call) }),
  },
  'lists no folder of a folder': {
    fails: [LIST, PREFIX, KEYS, DELETE],
    because: /missing/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async *list(prefix, call) {
          for await (const info of inner.list(prefix, call)) {
            if (!info.key.slice(prefix.length).includes('/')) yield info
          }
        },
      }),
  },
  'skips rows when keys are deleted while it lists by offset': {
    fails: [THROUGHOUT, LIST],
    because: /while others come and go: \d/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => byOffset(inner, prefix, call, 10) }),
  },
  'lists by offset in pages of 50': {
    fails: [LIST],
    because: /while what it has given is deleted: \d+ of 120 missing/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => byOffset(inner, prefix, call, 50) }),
  },
  'lists by offset in pages of 1,000': {
    fails: [LIST],
    because: /while what it has given is deleted: \d+ of 1010 missing/,
    profile: 'full',
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => byOffset(inner, prefix, call, 1000) }),
  },
  'takes _ in a prefix for any character': {
    fails: [PREFIX],
    because: /prefix d_: 2 that should not be there/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => like(inner, prefix, call) }),
  },
}

export const DELETING: Readonly<Record<string, Broken>> = {
  'deletes what begins with the key': {
    fails: [DELETE, LIST],
    because: /missing/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async delete(keys, call) {
          const more = [...inner.objects.keys()].filter((key) => keys.some((each) => key.startsWith(each)))
          await inner.delete([...keys, ...more], call)
        },
      }),
  },
  'takes _ in a key to delete for any character': {
    fails: [DELETE],
    because: /1 of 3 missing, first .*dxe/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async delete(keys, call) {
          const more = keys.flatMap((key) => [...inner.objects.keys()].filter((each) => isLike(key, each)))
          await inner.delete([...keys, ...more], call)
        },
      }),
  },
  'cannot delete what is not there': {
    fails: [DELETE_MISSING, DELETE, THROUGHOUT],
    because: /no such key/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async delete(keys, call) {
          const missing = keys.some((key) => !inner.objects.has(key))
          await inner.delete(keys, call)
          if (missing) throw new Error('no such key')
        },
      }),
  },
}

async function* below(inner: Memory, prefix: string, call: CallSignal | undefined): AsyncGenerator<ObjectInfo> {
  checkPrefix(prefix)
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  for await (const info of inner.list(folder, call)) {
    if (prefix === folder || info.key === prefix || info.key.startsWith(`${prefix}/`)) yield info
  }
}

/** As LIKE of SQL, where nobody thought of escaping. */
function isLike(pattern: string, key: string): boolean {
  return (
    key.length === pattern.length && [...pattern].every((character, i) => character === '_' || character === key[i])
  )
}

async function* like(inner: Memory, prefix: string, call: CallSignal | undefined): AsyncGenerator<ObjectInfo> {
  checkPrefix(prefix)
  for await (const info of inner.list('', call)) if (isLike(prefix, info.key.slice(0, prefix.length))) yield info
}

/** Pages that are asked for by how many came before. */
async function* byOffset(
  inner: Memory,
  prefix: string,
  call: CallSignal | undefined,
  size: number,
): AsyncGenerator<ObjectInfo> {
  for (let at = 0; ; at += size) {
    const all: ObjectInfo[] = []
    for await (const info of inner.list(prefix, call)) all.push(info)
    all.sort((a, b) => (a.key < b.key ? -1 : 1))
    yield* all.slice(at, at + size)
    if (at + size >= all.length) return
    await turn()
  }
}
