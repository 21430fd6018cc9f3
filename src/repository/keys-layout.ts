/** Where every object of a repository lies: keys are made and taken apart here and nowhere else. */
import type { KeyClass } from '../crypto/keyring.ts'
import {
  formatNumber,
  idOfSegment,
  isObjectName,
  parseNumber,
  SLOT_ID_PATTERN,
  STATE_NAME_PATTERN,
  segmentOfId,
} from '../model/ids.ts'

export const PREFIX = {
  config: 'config/',
  keys: 'keys/',
  packs: 'packs/',
  index: 'index/',
  snapshots: 'snapshots/',
  notes: 'notes/',
  state: 'state/',
  reports: 'reports/',
  runs: 'runs/',
  gc: 'gc/',
  trash: 'trash/',
} as const

export type ObjectKey =
  | { area: 'config'; n: number }
  | { area: 'keys'; slot: string }
  | { area: 'packs' | 'index'; name: string }
  | { area: 'snapshots' | 'reports' | 'runs' | 'trash'; id: string }
  | { area: 'notes'; id: string; n: number }
  | { area: 'state'; kind: string; name: string; n: number }
  | { area: 'gc'; n: number; done: boolean }

export const configKey = (n: number): string => `config/${formatNumber(n)}`
export const slotKey = (slot: string): string => `keys/${slot}`
/** `name`: SHA-256 of the pack in hex. Split by its first byte, so that no folder grows too large. */
export const packKey = (name: string): string => `packs/${name.slice(0, 2)}/${name}`
/** `name`: 32 random bytes in hex. */
export const indexKey = (name: string): string => `index/${name}`
export const snapshotKey = (id: string): string => `snapshots/${segmentOfId(id)}`
export const noteKey = (id: string, n: number): string => `notes/${segmentOfId(id)}/${formatNumber(n)}`
export const stateKey = (kind: string, name: string, n: number): string => `state/${kind}/${name}/${formatNumber(n)}`
export const reportKey = (runId: string): string => `reports/${segmentOfId(runId)}`
export const runKey = (id: string): string => `runs/${segmentOfId(id)}`
export const gcKey = (n: number): string => `gc/${formatNumber(n)}`
export const gcDoneKey = (n: number): string => `gc/${formatNumber(n)}.done`
export const trashKey = (id: string): string => `trash/${segmentOfId(id)}`

/** What a key says; undefined for keys that no repository has. */
export function parseKey(key: string): ObjectKey | undefined {
  const [area, ...rest] = key.split('/')
  const parse = Object.hasOwn(PARSERS, area!) ? PARSERS[area as keyof typeof PREFIX] : undefined
  return parse?.(rest)
}

/** The class of keys that seals an object; undefined for configs, key slots and packs, which are no sealed records. */
export function classOfKey(key: string): KeyClass | undefined {
  const area = parseKey(key)?.area
  return area === undefined ? undefined : CLASSES[area]
}

const CLASSES: Readonly<Record<keyof typeof PREFIX, KeyClass | undefined>> = {
  config: undefined,
  keys: undefined,
  packs: undefined,
  index: 'index',
  snapshots: 'snapshots',
  notes: 'snapshots',
  trash: 'snapshots',
  state: 'control',
  reports: 'control',
  runs: 'control',
  gc: 'control',
}

type Parser = (rest: readonly string[]) => ObjectKey | undefined

const byId = (area: 'snapshots' | 'reports' | 'runs' | 'trash'): Parser => {
  return ([segment = '', ...more]) => {
    const id = more.length === 0 ? idOfSegment(segment) : undefined
    return id === undefined ? undefined : { area, id }
  }
}

const PARSERS: Readonly<Record<keyof typeof PREFIX, Parser>> = {
  config: ([text = '', ...more]) => numbered(text, more, (n) => ({ area: 'config', n })),
  keys: ([slot = '', ...more]) =>
    SLOT_ID_PATTERN.test(slot) && more.length === 0 ? { area: 'keys', slot } : undefined,
  packs: ([fan = '', name = '', ...more]) =>
    isObjectName(name) && name.startsWith(fan) && fan.length === 2 && more.length === 0
      ? { area: 'packs', name }
      : undefined,
  index: ([name = '', ...more]) => (isObjectName(name) && more.length === 0 ? { area: 'index', name } : undefined),
  snapshots: byId('snapshots'),
  reports: byId('reports'),
  runs: byId('runs'),
  trash: byId('trash'),
  notes: ([segment = '', text = '', ...more]) => {
    const id = idOfSegment(segment)
    return id === undefined ? undefined : numbered(text, more, (n) => ({ area: 'notes', id, n }))
  },
  state: ([kind = '', name = '', text = '', ...more]) =>
    STATE_NAME_PATTERN.test(kind) && STATE_NAME_PATTERN.test(name)
      ? numbered(text, more, (n) => ({ area: 'state', kind, name, n }))
      : undefined,
  gc: ([text = '', ...more]) => {
    const done = text.endsWith('.done')
    return numbered(done ? text.slice(0, -5) : text, more, (n) => ({ area: 'gc', n, done }))
  },
}

function numbered(text: string, more: readonly string[], make: (n: number) => ObjectKey): ObjectKey | undefined {
  const n = more.length === 0 ? parseNumber(text) : undefined
  return n === undefined ? undefined : make(n)
}
