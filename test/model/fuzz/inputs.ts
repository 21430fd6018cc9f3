/** What decoders are given: anything, and what was valid before something happened to it. */
import fc from 'fast-check'

/** Of sizes and numbers; the largest of each width, and what comes after it. */
const ODD_BYTES = [0, 1, 0x7f, 0x80, 0xff]
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  '..',
  '\u0000',
  '9999-99-99T99:99:99.999Z',
  'x'.repeat(5000),
  'A'.repeat(44),
  [],
  {},
  [[[[]]]],
  { __proto__: null, constructor: 1 },
]

/** A share of the length. Doubles would nearly all be next to nothing. */
const at = fc.integer({ min: 0, max: 999_999 }).map((n) => n / 1_000_000)

interface Change {
  at: number
  edit(bytes: Uint8Array, place: number): Uint8Array
}

const garbage = fc.uint8Array({ maxLength: 40 })
const edits: fc.Arbitrary<Change['edit']> = fc.oneof(
  fc.nat(7).map((bit) => (bytes: Uint8Array, place: number) => bytes.with(place, bytes[place]! ^ (1 << bit))),
  fc.constantFrom(...ODD_BYTES).map((byte) => (bytes: Uint8Array, place: number) => bytes.with(place, byte)),
  fc.constantFrom(0x7f, 0xff).chain((byte) =>
    fc.constantFrom(2, 4, 8).map((width) => (bytes: Uint8Array, place: number) => {
      return new Uint8Array(bytes).fill(byte, place, place + width)
    }),
  ),
  fc.constant((bytes: Uint8Array, place: number) => bytes.slice(0, place)),
  fc.constant((bytes: Uint8Array, place: number) => Uint8Array.from([...bytes, ...bytes.subarray(place)])),
  fc.nat(20).map((count) => (bytes: Uint8Array, place: number) => {
    return Uint8Array.from([...bytes.subarray(0, place), ...bytes.subarray(place + count)])
  }),
  garbage.map((extra) => (bytes: Uint8Array, place: number) => {
    return Uint8Array.from([...bytes.subarray(0, place), ...extra, ...bytes.subarray(place)])
  }),
  fc.uint8Array({ maxLength: 200 }).map((rest) => (bytes: Uint8Array, place: number) => {
    return Uint8Array.from([...bytes.subarray(0, place), ...rest])
  }),
)

/** One to four changes of a sample. */
function mutated(sample: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.array(fc.record({ at, edit: edits }), { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes: Uint8Array = sample
    for (const change of changes) if (bytes.length > 0) bytes = change.edit(bytes, Math.floor(change.at * bytes.length))
    return bytes
  })
}

/** JSON that is still JSON: one value is another one, or gone, or there is one more. */
function jsonMutated(sample: Uint8Array): fc.Arbitrary<Uint8Array> {
  const text = new TextDecoder().decode(sample)
  const value = fc.oneof(fc.constantFrom(...ODD_VALUES), fc.jsonValue())
  return fc.tuple(at, value, fc.constantFrom('set', 'delete', 'add')).map(([place, odd, how]) => {
    const object = JSON.parse(text) as object
    const holders = holdersOf(object)
    const [holder, key] = holders[Math.floor(place * holders.length)]!
    if (how === 'set') holder[key] = odd
    else if (how === 'delete') delete holder[key]
    else holder[`${key}x`] = odd
    return new TextEncoder().encode(JSON.stringify(object))
  })
}

type Holder = Record<string, unknown>

function holdersOf(value: object): [Holder, string][] {
  return Object.entries(value).flatMap(([key, inner]): [Holder, string][] => [
    [value as Holder, key],
    ...(typeof inner === 'object' && inner !== null ? holdersOf(inner) : []),
  ])
}

/** As many as asked for, the same for the same seed. `json`: the samples are JSON. */
export function inputsFrom(samples: readonly Uint8Array[], json: boolean, count: number, seed: number): Uint8Array[] {
  const ofSamples = samples.flatMap((sample) => [
    { arbitrary: mutated(sample), weight: 4 },
    ...(json ? [{ arbitrary: jsonMutated(sample), weight: 4 }] : []),
  ])
  const anything = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary' }).map(bytesOf))
  return fc.sample(fc.oneof({ arbitrary: anything, weight: 1 }, ...ofSamples), { numRuns: count, seed })
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
