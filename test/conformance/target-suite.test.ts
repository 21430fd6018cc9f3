/** The suite itself: a target that breaks one promise must fail the test of that promise. */
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/targets/memory.ts'
import { type PutOptions, type Target, wrapTarget } from '../../src/targets/target.ts'
import { turn } from '../../src/testing/target-bench.ts'
import { targetConformance } from '../../src/testing/target-conformance.ts'

type Memory = ReturnType<typeof memoryTarget>

/** Names of the tests that fail. */
async function failures(create: () => Target): Promise<string[]> {
  const tests: [string, () => Promise<void> | void][] = []
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (...test: (typeof tests)[0]) => tests.push(test),
  }
  targetConformance({ ...runner, it: (name, body) => void runner.it(name, body) }, { create, profile: 'quick' })
  const failed: string[] = []
  for (const [name, body] of tests) {
    await Promise.resolve()
      .then(body)
      .catch(() => failed.push(name))
  }
  return failed
}

const stored = (memory: Memory, key: string): Uint8Array<ArrayBuffer> =>
  memory.objects.get(key) as Uint8Array<ArrayBuffer>

const BROKEN: Record<string, { breaks: string; wrap(memory: Memory): Target }> = {
  'checks, waits, then creates': {
    breaks: 'lets exactly one of 16 create',
    wrap: (memory) =>
      wrapTarget(memory, {
        async put(key: string, body: Uint8Array<ArrayBuffer>, options: PutOptions = {}) {
          if (options.ifAbsent && (await memory.stat(key, options))) return false
          await turn()
          return await memory.put(key, body, { signal: options.signal })
        },
      }),
  },
  'ignores ifAbsent': {
    breaks: 'creates only where nothing is',
    wrap: (memory) => wrapTarget(memory, { put: (key, body, call) => memory.put(key, body, { signal: call?.signal }) }),
  },
  'replaces in two steps': {
    breaks: 'shows the whole old or the whole new object while it is replaced',
    wrap: (memory) =>
      wrapTarget(memory, {
        async put(key, body, call = {}) {
          if (call.ifAbsent) return await memory.put(key, body, call)
          await memory.put(key, body.slice(0, body.length >> 1), call)
          await turn()
          return await memory.put(key, body, call)
        },
      }),
  },
  'creates in two steps': {
    breaks: 'shows nothing or the whole object while it is created',
    wrap: (memory) =>
      wrapTarget(memory, {
        async put(key, body, call = {}) {
          if (!(await memory.put(key, body.slice(0, body.length >> 1), call))) return false
          await turn()
          return await memory.put(key, body, { signal: call.signal })
        },
      }),
  },
  'gives what there is of a range': {
    breaks: 'never gives fewer bytes than asked',
    wrap: (memory) =>
      wrapTarget(memory, {
        async get(key, call = {}) {
          const all = await memory.get(key, { signal: call.signal })
          return call.range ? all.slice(call.range.start, call.range.end) : all
        },
      }),
  },
  'takes the end of a range as included': {
    breaks: 'gives back exactly the range',
    wrap: (memory) =>
      wrapTarget(memory, {
        get: (key, call = {}) =>
          memory.get(key, call.range ? { range: { ...call.range, end: call.range.end + 1 } } : call),
      }),
  },
  'gives its own buffer': {
    breaks: 'gives results that nobody else holds',
    wrap: (memory) =>
      wrapTarget(memory, {
        get: (key, call) => memory.get(key, call).then((body) => (call?.range ? body : stored(memory, key))),
      }),
  },
  'gives a slice of a pool': {
    breaks: 'gives results that nobody else holds',
    wrap: (memory) =>
      wrapTarget(memory, {
        async get(key, call) {
          const body = await memory.get(key, call)
          const pool = new Uint8Array(body.length + 10)
          pool.set(body, 5)
          return pool.subarray(5, 5 + body.length)
        },
      }),
  },
  'keeps the body': {
    breaks: 'neither changes nor keeps the body',
    wrap: (memory) =>
      wrapTarget(memory, {
        async put(key, body, call) {
          const created = await memory.put(key, body, call)
          if (created) (memory.objects as Map<string, Uint8Array>).set(key, body)
          return created
        },
      }),
  },
  'gives the body away': {
    breaks: 'neither changes nor keeps the body',
    wrap: (memory) =>
      wrapTarget(memory, {
        put: (key, body, call) => memory.put(key, structuredClone(body, { transfer: [body.buffer] }), call),
      }),
  },
  'takes a prefix for a folder': {
    breaks: 'takes a prefix as the beginning of a string',
    wrap: (memory) =>
      wrapTarget(memory, {
        async *list(prefix, call) {
          for await (const info of memory.list(prefix, call)) if (info.key[prefix.length] !== 'b') yield info
        },
      }),
  },
  'lists a page twice': {
    breaks: 'lists every key below nested prefixes once',
    wrap: (memory) =>
      wrapTarget(memory, {
        async *list(prefix, call) {
          const page = []
          for await (const info of memory.list(prefix, call)) {
            yield info
            if (page.push(info) === 100) yield* page
          }
        },
      }),
  },
  'deletes what begins with the key': {
    breaks: 'deletes the given keys and nothing else',
    wrap: (memory) =>
      wrapTarget(memory, {
        async delete(keys, call) {
          const more = [...memory.objects.keys()].filter((key) => keys.some((each) => key.startsWith(each)))
          await memory.delete([...keys, ...more], call)
        },
      }),
  },
  'ignores aborts': {
    breaks: 'does nothing once aborted',
    wrap: (memory) => wrapTarget(memory, { delete: (keys) => memory.delete(keys) }),
  },
  'holds on to signals': {
    breaks: 'lets go of the signal',
    wrap: (memory) =>
      wrapTarget(memory, {
        async get(key, call) {
          call?.signal?.addEventListener('abort', () => {})
          return await memory.get(key, call)
        },
      }),
  },
  'cleans keys up': {
    breaks: 'refuses keys that are no relative paths',
    wrap: (memory) =>
      wrapTarget(memory, { put: (key, body, call) => memory.put(key.replace(/^\/|\.\.\//, ''), body, call) }),
  },
}

describe('targetConformance', () => {
  it('passes a sound target', async () => {
    expect(await failures(() => memoryTarget())).toEqual([])
  })

  for (const [name, { breaks, wrap }] of Object.entries(BROKEN)) {
    it(`notices a target that ${name}`, async () => {
      expect(await failures(() => wrap(memoryTarget()))).toContain(breaks)
    })
  }
})
