import { describe, expect, it } from 'vitest'
import { parseBackupOptions, sourceKeys } from '../../../src/engine/options/backup.ts'
import { parseEngineOptions } from '../../../src/engine/options/engine.ts'
import {
  parseCloseOptions,
  parseDiffOptions,
  parseEntriesOptions,
  parseHistoryFilter,
  parseReadOptions,
  parseSnapshotFilter,
} from '../../../src/engine/options/look.ts'
import { parsePlanRestoreOptions, parseRestoreOptions, parseRestorePlan } from '../../../src/engine/options/restore.ts'
import { parseVerifyOptions } from '../../../src/engine/options/verify.ts'
import type { BackupOptions, RestorePlan } from '../../../src/engine/types/index.ts'
import { BackupError } from '../../../src/errors.ts'
import { defineSink } from '../../../src/sources/sink.ts'
import { emptySource, nullTarget } from '../fixture.ts'

const uploads = emptySource('uploads')
const main = emptySource('main')
const engine = { sources: [uploads, main], defaults: {} }

/** The error of an INVALID_OPTIONS; fails when there is none. */
function refusal(parse: () => unknown): BackupError {
  try {
    parse()
  } catch (error) {
    if (BackupError.is(error) && error.code === 'INVALID_OPTIONS') return error
    throw error
  }
  throw new Error('nothing was refused')
}
const backupRefusal = (options: unknown): BackupError =>
  refusal(() => parseBackupOptions(options as BackupOptions, engine))

describe('options of backup', () => {
  it('fills in defaults: the call, then the engine, then ours', () => {
    const defaults = { verify: 'none', onEntryError: 'skip', timeoutMs: 5 } as const
    expect(parseBackupOptions({ verify: 'data' }, { ...engine, defaults })).toEqual({
      sources: [uploads, main],
      tags: [],
      labels: {},
      parent: 'auto',
      verify: 'data',
      onEntryError: 'skip',
      timeoutMs: 5,
    })
    expect(parseBackupOptions(undefined, engine)).toMatchObject({ verify: 'structure', onEntryError: 'fail' })
  })

  it('turns names into sources, keeps source objects as they are, drops repeated tags', () => {
    const extra = emptySource('extra')
    const parsed = parseBackupOptions({ sources: ['main', extra], tags: ['a', 'a', 'b'] }, engine)
    expect(parsed.sources[0]).toBe(main)
    expect(parsed.sources[1]).toBe(extra)
    expect(parsed.tags).toEqual(['a', 'b'])
    expect(sourceKeys(parsed.sources)).toEqual(['source:main', 'source:extra'])
  })

  it('takes a signal that is undefined, and nothing else that is', () => {
    expect(parseBackupOptions({ signal: undefined }, engine).sources).toHaveLength(2)
    const error = backupRefusal({ name: undefined })
    expect(error.message).toContain("'name' is given but undefined")
    expect(error.hint).toContain('Leave the option out')
  })

  it('does not change the caller’s object', () => {
    const options = Object.freeze({ tags: Object.freeze(['a']) })
    parseBackupOptions(options, engine)
    expect(options).toEqual({ tags: ['a'] })
  })

  it.each<[string, unknown, string]>([
    ['an unknown option', { tag: ['a'] }, 'tag'],
    ['no object', 'nightly', 'options'],
    ['a source that is not configured', { sources: ['nope'] }, 'sources'],
    ['no source at all', { sources: [] }, 'sources'],
    ['two sources of one name', { sources: [uploads, emptySource('uploads')] }, 'sources'],
    ['a source with a bad name', { sources: [emptySource('a/b')] }, 'sources[0]'],
    ['something that is no source', { sources: [{ name: 'x' }] }, 'sources[0]'],
    ['an empty tag', { tags: ['ok', ''] }, 'tags[1]'],
    ['a level that does not exist', { verify: 'full' }, 'verify'],
    ['a policy that does not exist', { onEntryError: 'ignore' }, 'onEntryError'],
    ['a negative limit', { maxSourceBytes: -1 }, 'maxSourceBytes'],
    ['half a byte', { maxStoredBytes: 0.5 }, 'maxStoredBytes'],
    ['no time at all', { timeoutMs: 0 }, 'timeoutMs'],
    ['a label that is no text', { labels: { version: 4 } }, 'labels.version'],
    ['a run id with a blank', { runId: 'a b' }, 'runId'],
    ['a run id that is too long', { runId: 'A'.repeat(65) }, 'runId'],
    ['a bad parent', { parent: 5 }, 'parent'],
    ['something that is no signal', { signal: {} }, 'signal'],
    ['something that is no function', { onProgress: true }, 'onProgress'],
  ])('refuses %s', (_, options, option) => {
    const error = backupRefusal(options)
    expect(error.details).toMatchObject({ option, verb: 'backup' })
    expect(error.message).toContain(option)
    expect(error.origin).toBe('usage')
  })

  it('names option, rule and value', () => {
    expect(backupRefusal({ verify: 'full' }).message).toBe(
      `backup: option 'verify' must be one of 'structure', 'data', 'content', 'none', got "full"`,
    )
  })

  it('says which sources there are', () => {
    expect(backupRefusal({ sources: ['upload'] }).message).toContain("('uploads', 'main')")
    expect(refusal(() => parseBackupOptions({}, { sources: [], defaults: {} })).message).toContain('sources')
  })

  it('refuses a plugin of another contract', () => {
    const foreign = { ...emptySource('x'), apiVersion: 2 as unknown as 1 }
    expect(() => parseBackupOptions({ sources: [foreign] }, engine)).toThrow(
      expect.objectContaining({ code: 'PLUGIN_INCOMPATIBLE' }),
    )
  })
})

describe('options of open', () => {
  const target = nullTarget()
  const open = (more: object): BackupError => refusal(() => parseEngineOptions({ target, key: 'none', ...more }))

  it('takes what it should, and keeps plugins as they are', () => {
    const parsed = parseEngineOptions({ target, key: 'none', sources: [uploads], transforms: [], workers: 'inline' })
    expect(parsed.target).toBe(target)
    expect(parsed.sources?.[0]).toBe(uploads)
  })

  it('never shows a secret, wherever it was put by mistake', () => {
    for (const more of [{ key: 'hunter2' }, { passphrase: 'hunter2' }, { key: { secret: 'hunter2' } }]) {
      const error = open(more)
      expect(JSON.stringify(error) + error.message).not.toContain('hunter2')
    }
    expect(open({ key: 'hunter2' }).message).toContain("'key' must be a key, as passphrase() makes it, or 'none'")
  })

  it.each<[string, object, string]>([
    ['no target', { target: undefined }, 'target'],
    ['a path as target', { target: './backups' }, 'target'],
    ['no key', { key: undefined }, 'key'],
    ['two sources of one name', { sources: [uploads, uploads] }, 'sources'],
    ['a bad create', { create: true }, 'create'],
    ['no run at all', { maxConcurrentRuns: 0 }, 'maxConcurrentRuns'],
    ['an unknown default', { defaults: { tags: ['a'] } }, 'defaults.tags'],
    ['half a logger', { logger: { info() {} } }, 'logger'],
    ['a clock without sleep', { clock: { now() {} } }, 'clock'],
  ])('refuses %s', (_, more, option) => expect(open(more).details).toMatchObject({ option }))

  it('refuses a target of another contract', () => {
    expect(() => parseEngineOptions({ target: { ...target, apiVersion: 9 as unknown as 1 }, key: 'none' })).toThrow(
      expect.objectContaining({ code: 'PLUGIN_INCOMPATIBLE', details: expect.objectContaining({ plugin: 'null' }) }),
    )
  })
})

describe('options of the verbs that look', () => {
  it.each<[string, () => unknown, string]>([
    ['an empty list of tags', () => parseSnapshotFilter({ tags: [] }), 'tags'],
    ['a text as date', () => parseSnapshotFilter({ after: '2026-01-01' as never }), 'after'],
    ['an invalid date', () => parseSnapshotFilter({ before: new Date('nonsense') }), 'before'],
    ['a bad kind', () => parseSnapshotFilter({ kinds: ['manual' as never] }), 'kinds[0]'],
    ['no snapshot', () => parseEntriesOptions({} as never), 'snapshot'],
    [
      'an unknown key in a ref',
      () => parseEntriesOptions({ snapshot: { latest: { tag: 'x' } as never } }),
      'snapshot.latest.tag',
    ],
    [
      'a range that ends before it starts',
      () => parseReadOptions({ snapshot: 'latest', path: 'a/b', range: { start: 5, end: 4 } }),
      'range',
    ],
    [
      'a range that starts before zero',
      () => parseReadOptions({ snapshot: 'latest', path: 'a/b', range: { start: -1 } }),
      'range.start',
    ],
    [
      'checksum between snapshots',
      () => parseDiffOptions({ base: 'empty', head: 'latest', checksum: true }),
      'checksum',
    ],
    [
      'an empty pattern',
      () => parseDiffOptions({ base: 'empty', head: 'live', select: { include: [''] } }),
      'select.include[0]',
    ],
    ['a bad status', () => parseHistoryFilter({ status: ['running' as never] }), 'status[0]'],
    ['a negative grace', () => parseCloseOptions({ graceMs: -1 }), 'graceMs'],
  ])('refuses %s', (_, parse, option) => expect(refusal(parse).details).toMatchObject({ option }))

  it('takes the rest', () => {
    const signal = new AbortController().signal
    expect(parseSnapshotFilter()).toEqual({})
    expect(parseReadOptions({ snapshot: 'latest', path: 'a/b', range: { start: 0, end: 0 }, signal })).toMatchObject({
      signal,
    })
    expect(parseDiffOptions({ base: 'empty', head: 'live', checksum: true }).checksum).toBe(true)
    expect(parseCloseOptions()).toEqual({ graceMs: 0 })
  })
})

describe('options of verify', () => {
  it('has defaults and makes one ref a list', () => {
    expect(parseVerifyOptions()).toEqual({ level: 'structure', snapshots: 'all' })
    expect(parseVerifyOptions({ snapshots: 'latest' }).snapshots).toEqual(['latest'])
    expect(parseVerifyOptions({ snapshots: ['abcd', 'latest'] }).snapshots).toEqual(['abcd', 'latest'])
  })
  it.each<[string, unknown, string]>([
    ['a level of later', { level: 'rows' }, 'level'],
    ['an empty budget', { level: 'data', budget: {} }, 'budget'],
    ['a share above one', { level: 'data', budget: { share: 2 } }, 'budget.share'],
    ['a budget where nothing is read', { budget: { ms: 5 } }, 'budget'],
    ['no snapshot in the list', { snapshots: [] }, 'snapshots'],
  ])('refuses %s', (_, options, option) =>
    expect(refusal(() => parseVerifyOptions(options as never)).details).toMatchObject({ option }),
  )
})

describe('options of restore', () => {
  const sink = defineSink({ name: 's', open: async () => Promise.reject(new Error('unused')) })
  const plan: RestorePlan = {
    kind: 'restore',
    version: 1,
    digest: 'd',
    repositoryId: 'r',
    createdAt: '2026-01-02T03:04:05.000Z',
    snapshot: 's',
    request: { to: { folder: '/x' } },
    destructive: false,
    totals: Object.fromEntries(
      (
        [
          'create',
          'update-content',
          'update-metadata',
          'replace-type',
          'delete-extra',
          'identical',
          'conflict-modified',
          'conflict-deleted',
          'conflict-extra',
          'blocked',
        ] as const
      ).map((type) => [type, { count: 0, bytes: 0 }]),
    ) as RestorePlan['totals'],
    changes: [{ path: 'uploads/a', to: '/x/uploads/a', type: 'create', decision: 'overwrite', bytes: 1 }],
    changesTruncated: false,
    download: { packs: 1, bytes: 1 },
    space: { needed: 1 },
    warnings: [],
  }

  it('wants a destination', () => {
    expect(parsePlanRestoreOptions({ snapshot: 'latest', to: { folder: '/x' } }).inlineChanges).toBe(1000)
    expect(parsePlanRestoreOptions({ snapshot: 'latest', to: { sinks: { main: sink } } }).to).toEqual({
      sinks: { main: sink },
    })
    expect(refusal(() => parsePlanRestoreOptions({ snapshot: 'latest' } as never)).details).toMatchObject({
      option: 'to',
    })
    expect(refusal(() => parsePlanRestoreOptions({ snapshot: 'latest', to: { sinks: {} } })).details).toMatchObject({
      option: 'to.sinks',
    })
  })

  it('has defaults', () => expect(parseRestoreOptions()).toEqual({ verify: false }))

  it('takes a plan that went to a browser and came back', () => {
    expect(parseRestorePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan)
  })

  it.each<[string, object, string]>([
    ['another kind', { kind: 'prune' }, 'plan.kind'],
    ['a later version', { version: 2 }, 'plan.version'],
    ['an added key', { extra: 1 }, 'plan.extra'],
    ['a missing total', { totals: {} }, 'plan.totals.create'],
    ['a changed change', { changes: [{ ...plan.changes[0], type: 'destroy' }] }, 'plan.changes[0].type'],
  ])('refuses a plan of %s', (_, change, option) => {
    expect(refusal(() => parseRestorePlan({ ...plan, ...change } as RestorePlan)).details).toMatchObject({ option })
  })
})
