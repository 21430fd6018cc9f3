import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'
import type { EngineEvents } from '../../src/events.ts'

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

/** A type error here means: an event came or went, and docs/events.md has to follow. */
const EVENTS: Record<keyof EngineEvents, true> = {
  'backup:start': true,
  'backup:progress': true,
  'backup:warning': true,
  'backup:complete': true,
  'backup:error': true,
  'verify:start': true,
  'verify:progress': true,
  'verify:warning': true,
  'verify:complete': true,
  'verify:error': true,
  'restore:start': true,
  'restore:progress': true,
  'restore:warning': true,
  'restore:complete': true,
  'restore:error': true,
  'drill:start': true,
  'drill:progress': true,
  'drill:warning': true,
  'drill:complete': true,
  'drill:error': true,
  'copy:start': true,
  'copy:progress': true,
  'copy:warning': true,
  'copy:complete': true,
  'copy:error': true,
  'forget:start': true,
  'forget:progress': true,
  'forget:warning': true,
  'forget:complete': true,
  'forget:error': true,
  'keys:start': true,
  'keys:progress': true,
  'keys:warning': true,
  'keys:complete': true,
  'keys:error': true,
  'undo:start': true,
  'undo:progress': true,
  'undo:warning': true,
  'undo:complete': true,
  'undo:error': true,
  'erase:start': true,
  'erase:progress': true,
  'erase:warning': true,
  'erase:complete': true,
  'erase:error': true,
  'prune:start': true,
  'prune:progress': true,
  'prune:warning': true,
  'prune:complete': true,
  'prune:error': true,
  'repair:start': true,
  'repair:progress': true,
  'repair:warning': true,
  'repair:complete': true,
  'repair:error': true,
  'export:start': true,
  'export:progress': true,
  'export:warning': true,
  'export:complete': true,
  'export:error': true,
  'import:start': true,
  'import:progress': true,
  'import:warning': true,
  'import:complete': true,
  'import:error': true,
  'source:open': true,
  'source:release': true,
  'target:retry': true,
}

describe('docs/errors.md', () => {
  const text = read('errors.md')

  it('has one entry for each code, and none for others', () => {
    const documented = [...text.matchAll(/^### (.+)$/gm)].map(([, code]) => code as string)
    expect([...documented].sort()).toEqual([...ERROR_CODES].sort())
  })

  it('says something in each entry', () => {
    for (const entry of text.split(/^### /m).slice(1)) {
      const [code, ...lines] = entry.split(/^## /m)[0]?.split('\n') ?? []
      expect(lines.join(' ').trim().length, code).toBeGreaterThan(60)
    }
  })
})

describe('docs/events.md', () => {
  it('lists exactly the events there are', () => {
    const documented = [...read('events.md').matchAll(/^\| `([a-z]+:[a-z]+)`/gm)].map(([, name]) => name as string)
    expect(documented.sort()).toEqual(Object.keys(EVENTS).sort())
  })

  it('lists exactly the warnings there are', () => {
    const source = readFileSync(new URL('../../src/events.ts', import.meta.url), 'utf8')
    const union = /type WarningCode =([\s\S]*?)\(string & \{\}\)/.exec(source)?.[1] ?? ''
    const declared = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code as string)
    const table = read('events.md').split('## Warnings')[1]?.split('## Following')[0] ?? ''
    const documented = [...table.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code as string)
    expect(declared.length).toBeGreaterThan(5)
    expect(documented.sort()).toEqual(declared.sort())
  })
})
