import { describe, expect, it } from 'vitest'
import { BackupEngine, memoryTarget, passphrase } from '../../src/index.ts'
import { parseKeySlot } from '../../src/model/key-slot.ts'
import { fakeClock, faultyTarget, memorySource, testEngine } from '../../src/testing/index.ts'
import { patience } from '../patience.ts'

const source = () => memorySource({ name: 'm', files: { 'a.txt': 'one', 'b/c.txt': 'two' } })
const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** What the only key slot says of its cost. */
function kdfOf(target: ReturnType<typeof memoryTarget>): object {
  const slots = [...target.objects].filter(([key]) => key.startsWith('keys/'))
  expect(slots).toHaveLength(1)
  return parseKeySlot(slots[0]![1], slots[0]![0]).header.kdf
}

describe('testEngine', () => {
  it('backs up, verifies and reads, in memory and without threads', async () => {
    let threads = 0
    process.on('worker', () => threads++)
    await using engine = await testEngine({ sources: [source()] })
    const { snapshot } = await engine.backup()
    expect(snapshot).toMatchObject({ host: 'test', createdAt: new Date('2026-01-02T03:04:05Z') })
    expect((await engine.verify({ level: 'data' })).findings).toEqual([])
    const pieces: Uint8Array[] = []
    for await (const piece of await engine.read({ snapshot: 'latest', path: 'm/b/c.txt' })) pieces.push(piece)
    expect(decode(Buffer.concat(pieces))).toBe('two')
    expect(threads).toBe(0)
  })

  it('is ready in milliseconds, with a passphrase too', async () => {
    const began = performance.now()
    for (let i = 0; i < 3; i++) await (await testEngine({ key: passphrase('secret') })).close()
    expect((performance.now() - began) / 3).toBeLessThan(patience(300))
  })

  it('alone makes keys cheap: any engine opens what it made, and makes none itself', async () => {
    const cheap = memoryTarget()
    await (await testEngine({ target: cheap, key: passphrase('secret') })).close()
    expect(kdfOf(cheap)).toMatchObject({ name: 'scrypt', N: 2 ** 15, r: 1, p: 1 })
    const key = passphrase('secret')
    await (await BackupEngine.open({ target: cheap, key, workers: 'inline' })).close()
    await expect(testEngine({ target: cheap, key: passphrase('wrong') })).rejects.toMatchObject({ code: 'KEY_WRONG' })
    const real = memoryTarget()
    await (await testEngine({ key })).close()
    await (await BackupEngine.open({ target: real, key, workers: 'inline' })).close()
    expect(kdfOf(real)).toMatchObject({ name: 'scrypt', N: 2 ** 17, r: 8, p: 1 })
  })

  it('takes every option of open, and no other', async () => {
    await using plain = await testEngine({ key: 'none', host: 'here', sources: [source()] })
    expect((await plain.backup()).snapshot.host).toBe('here')
    await expect(testEngine({ target: memoryTarget(), create: 'never' })).rejects.toMatchObject({
      code: 'REPOSITORY_NOT_FOUND',
    })
    await expect(testEngine({ kdfParameters: {} } as object)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('goes through faults of its target on a clock that the test moves', async () => {
    const clock = fakeClock()
    const memory = memoryTarget()
    await (await testEngine({ target: memory })).close()
    const target = faultyTarget(memory, [
      { operation: 'put', keys: 'packs/', nth: 1, fault: 'unavailable' },
      { operation: 'put', keys: 'index/', nth: 1, fault: 'slow-down' },
    ])
    await using engine = await testEngine({ target, clock, sources: [source()] })
    const retries: string[] = []
    engine.on('target:retry', ({ error }) => retries.push(error.code))
    await clock.until(engine.backup())
    target.assertAllHit()
    expect(retries.sort()).toEqual(['TARGET_THROTTLED', 'TARGET_UNREACHABLE'])
    expect(clock.monotonicMs()).toBeGreaterThan(0)
  })
})
