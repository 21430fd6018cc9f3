/** A plugin of another version is refused wherever one comes in, by an error that names both versions. */
import { describe, expect, it } from 'vitest'
import {
  type BackupEngine,
  BackupError,
  defineSink,
  defineSource,
  defineTarget,
  defineTransform,
  memoryTarget,
  probe,
  readOnly,
  retrying,
  type Sink,
  type Source,
  type Target,
  type Transform,
  throttled,
  wrapTarget,
  zstd,
} from '../../src/index.ts'
import { mirrored } from '../../src/targets/wrappers/mirrored.ts'
import { prefixed } from '../../src/targets/wrappers/prefixed.ts'
import { countingTarget, crashAfter, faultyTarget, memorySource, testEngine } from '../../src/testing/index.ts'
import { assertCompatible } from '../../src/util/plugin.ts'

const session = { write: async () => {}, prepare: async () => {}, commit: async () => {}, rollback: async () => {} }
const sink: Sink = {
  apiVersion: 1,
  name: 'nowhere',
  open: async () => ({ ...session, [Symbol.asyncDispose]: async () => {} }),
}
const source: Source = memorySource({ name: 'm', files: { a: 'one' } })

function other<T extends object>(plugin: T, apiVersion: unknown = 2): T {
  return { ...plugin, apiVersion }
}
const otherTarget = (): Target =>
  Object.defineProperty(wrapTarget(memoryTarget(), {}), 'apiVersion', { value: 2 }) as Target

async function refused(run: () => unknown): Promise<BackupError> {
  try {
    await run()
  } catch (error) {
    if (BackupError.is(error) && error.code === 'PLUGIN_INCOMPATIBLE') return error
    throw error
  }
  throw new Error('it was taken')
}

async function withEngine(run: (engine: BackupEngine) => unknown): Promise<void> {
  await using engine = await testEngine({ sources: [source] })
  await engine.backup()
  await run(engine)
}

const PLACES: Record<string, () => unknown> = {
  'a target at open': () => testEngine({ target: otherTarget() }),
  'a source at open': () => testEngine({ sources: [other(source)] }),
  'a transform at open': () => testEngine({ transforms: [other(zstd())] }),
  'a source at backup': () => withEngine((engine) => engine.backup({ sources: [other(source)] })),
  'a sink at planRestore': () =>
    withEngine((engine) => engine.planRestore({ snapshot: 'latest', to: { sinks: { m: other(sink) } } })),
  'a sink at drill': () => withEngine((engine) => engine.drill({ sinks: { m: other(sink) } })),
  'a target in retrying': () => retrying(otherTarget()),
  'a target in throttled': () => throttled(otherTarget(), { bytesPerSecond: 1 }),
  'a target in readOnly': () => readOnly(otherTarget()),
  'a target in prefixed': () => prefixed(otherTarget(), 'a/'),
  'a target in mirrored': () => mirrored([memoryTarget(), otherTarget()]),
  'a target in probe': () => probe(otherTarget()),
  'a target in faultyTarget': () => faultyTarget(otherTarget(), []),
  'a target in crashAfter': () => crashAfter(otherTarget(), 1),
  'a target in countingTarget': () => countingTarget(otherTarget()),
  'a target in defineTarget': () => defineTarget(otherTarget()),
  'a source in defineSource': () => defineSource(other(source)),
  'a sink in defineSink': () => defineSink(other(sink)),
  'a transform in defineTransform': () => defineTransform(other(zstd())),
}

describe('a plugin of another version', () => {
  it.for(Object.entries(PLACES))('is refused: %s', async ([, run]) => {
    const error = await refused(run)
    expect(error.message).toMatch(/^'(memory|m|nowhere|zstd)' is made for apiVersion 2, this holdfast speaks 1$/)
    expect(error.details).toMatchObject({ apiVersion: '2', supported: 1 })
  })

  it('is told from one that says none', async () => {
    const error = await refused(() => assertCompatible({ name: 'x' }))
    expect(error.message).toBe("'x' has no apiVersion, this holdfast speaks 1")
    expect(error.hint).toContain('defineTarget')
    for (const version of ['1', 0, null, 1.5]) await refused(() => assertCompatible({ name: 'x', apiVersion: version }))
  })
})

/** With private fields, which neither a spread nor an object that inherits would have. */
class Plugin {
  readonly #secret: string
  constructor(secret: string) {
    this.#secret = secret
  }
  get name(): string {
    return this.#secret
  }
  get id(): string {
    return this.#secret
  }
  readonly kind = 'other'
  async open(): Promise<never> {
    throw new Error(this.#secret)
  }
  async plan(): Promise<never> {
    throw new Error(this.#secret)
  }
  async check(): Promise<never[]> {
    throw new Error(this.#secret)
  }
  encode(segment: Uint8Array): Uint8Array {
    return Buffer.concat([segment, Buffer.from(this.#secret)])
  }
  decode(segment: Uint8Array): Uint8Array {
    return segment.subarray(0, segment.length - this.#secret.length)
  }
}

describe('the define functions', () => {
  it('stamp objects and instances of classes alike, with all that they have', async () => {
    const plugin = new Plugin('s')
    const source = defineSource(plugin)
    const sink = defineSink(plugin)
    const transform: Transform = defineTransform(plugin)
    for (const each of [source, sink, transform]) expect(each.apiVersion).toBe(1)
    expect([source.name, source.kind, sink.name, transform.id]).toEqual(['s', 'other', 's', 's'])
    await expect(source.open({} as never)).rejects.toThrow('s')
    await expect(source.check!({} as never)).rejects.toThrow('s')
    await expect(sink.plan!({} as never, {} as never)).rejects.toThrow('s')
    expect(transform.decode(transform.encode(Buffer.from('ab'), {}), { maxBytes: 9 })).toEqual(Buffer.from('ab'))
    expect(['sink' in source, 'doctor' in source, 'worker' in transform]).toEqual([false, false, false])
  })
})
