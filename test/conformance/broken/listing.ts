/** Targets that list or delete wrongly. */

import { checkPrefix } from '../../../src/targets/checks.ts'
import { type CallSignal, type ObjectInfo, wrapTarget } from '../../../src/targets/target.ts'
import { turn } from '../../../src/testing/target-bench.ts'
import { type Broken, DELETE, DELETE_MISSING, KEYS, LIST, type Memory, PREFIX, THROUGHOUT } from './broken.ts'

export const LISTING: Readonly<Record<string, Broken>> = {
  'loses the second page of a listing': {
    fails: [LIST],
    because: /deep/,
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
    because: /deep/,
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
    because: /prefix a/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => below(inner, prefix, call) }),
  },
  'lists no folder of a folder': {
    fails: [LIST, PREFIX, KEYS, DELETE],
    because: /deep/,
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
    fails: [THROUGHOUT],
    because: /deep/,
    wrap: (inner) => wrapTarget(inner, { list: (prefix, call) => byOffset(inner, prefix, call) }),
  },
}

export const DELETING: Readonly<Record<string, Broken>> = {
  'deletes what begins with the key': {
    fails: [DELETE],
    because: /deep/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async delete(keys, call) {
          const more = [...inner.objects.keys()].filter((key) => keys.some((each) => key.startsWith(each)))
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

/** Pages of ten, asked for by how many came before. */
async function* byOffset(inner: Memory, prefix: string, call: CallSignal | undefined): AsyncGenerator<ObjectInfo> {
  for (let at = 0; ; at += 10) {
    const all: ObjectInfo[] = []
    for await (const info of inner.list(prefix, call)) all.push(info)
    all.sort((a, b) => (a.key < b.key ? -1 : 1))
    yield* all.slice(at, at + 10)
    if (at + 10 >= all.length) return
    await turn()
  }
}
