import { describe, expect, it } from 'vitest'
import { memoryTarget, probe, readOnly, wrapTarget } from '../../src/index.ts'

const failed = (report: { checks: readonly { name: string; ok: boolean }[] }): string[] =>
  report.checks.filter(({ ok }) => !ok).map(({ name }) => name)

describe('probe', () => {
  it('finds a good target fit, says so, and leaves nothing', async () => {
    const target = memoryTarget()
    await target.put('config/1', new Uint8Array(3))
    const report = await probe(target)
    expect(failed(report)).toEqual([])
    expect(report).toMatchObject({ ok: true, traits: { createOnly: true, maxConcurrency: 64 } })
    expect(report.toText()).toMatch(/^memory: fit for a repository\n {2}put +ok +65536 bytes in \d+ ms\n/)
    expect([...target.objects.keys()]).toEqual(['config/1'])
  })

  it('finds out that conditions are ignored, whatever the target says', async () => {
    const inner = memoryTarget()
    const target = wrapTarget(inner, { put: (key, body) => inner.put(key, body) })
    const report = await probe(target)
    expect(failed(report)).toEqual(['create once', 'create once, 8 at once'])
    expect(report).toMatchObject({ ok: false, traits: { createOnly: false } })
    expect(report.toText()).toContain('creates once: no (the target says yes)')
  })

  it('is content with a target that looks first and says that it is not atomic', async () => {
    const inner = memoryTarget()
    const target = wrapTarget(inner, {
      traits: { ...inner.traits, createOnly: false },
      async put(key, body, { ifAbsent } = {}) {
        if (ifAbsent && (await inner.stat(key))) return false
        await new Promise((resolve) => setTimeout(resolve, 2))
        return await inner.put(key, body)
      },
    })
    const report = await probe(target)
    expect(failed(report)).toEqual(['create once, 8 at once'])
    expect(report.checks.find(({ ok }) => !ok)?.note).toBe('8 of 8 were told that they created it')
    expect(report).toMatchObject({ ok: true, traits: { createOnly: false } })
  })

  it('reports each failure with its code, and what could not be removed', async () => {
    const readable = memoryTarget()
    const report = await probe(readOnly(readable))
    expect(report.ok).toBe(false)
    expect(report.checks.find(({ name }) => name === 'put')).toMatchObject({ ok: false })
    expect(report.checks.find(({ name }) => name === 'put')?.note).toMatch(/^TARGET_DENIED: /)
    const inner = memoryTarget()
    const sticky = wrapTarget(inner, { delete: async () => {} })
    expect(failed(await probe(sticky))).toEqual(['delete', 'clean up'])
    const short = wrapTarget(inner, { get: async (key, call) => (await inner.get(key, call)).slice(0, -1) })
    expect(failed(await probe(short))).toEqual(
      expect.arrayContaining(['get', 'range', 'replace', 'create once', 'create once, 8 at once']),
    )
  })

  it('ends on abort, and cleans up all the same', async () => {
    const inner = memoryTarget()
    const controller = new AbortController()
    const target = wrapTarget(inner, {
      async stat(key, call) {
        controller.abort()
        return await inner.stat(key, call)
      },
    })
    await expect(probe(target, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(inner.objects.size).toBe(0)
  })
})
