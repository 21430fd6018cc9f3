/** An engine whose verbs' bodies are given by the test: the shell alone. */
import { Readable } from 'node:stream'
import { BackupEngine } from '../../src/engine/engine.ts'
import { makeBasics, makeContext } from '../../src/engine/engine-context.ts'
import type { EngineContext, EngineParts, ReportStore } from '../../src/engine/types/context.ts'
import type { BackupResult, EngineOptions, Logger, Snapshot } from '../../src/engine/types/index.ts'
import type { Verbs } from '../../src/engine/verbs.ts'
import { BackupError } from '../../src/errors.ts'
import type { Report } from '../../src/events.ts'
import { defineSource, type Source } from '../../src/sources/source.ts'
import { defineTarget, type Target } from '../../src/targets/target.ts'
import { type FakeClock, fakeClock } from '../util/fake-clock.ts'

export interface Logged {
  level: string
  fields: object
  message: string | undefined
}

export function recordingLogger(): Logger & { lines: Logged[] } {
  const lines: Logged[] = []
  const at =
    (level: string) =>
    (fields: object, message?: string): void => {
      lines.push({ level, fields, message })
    }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export function memoryReports(): ReportStore & { stored: Map<string, Report> } {
  const stored = new Map<string, Report>()
  return {
    stored,
    async save(report) {
      if (stored.has(report.runId)) throw new BackupError('RUN_EXISTS', 'there is one', { origin: 'usage' })
      stored.set(report.runId, report)
    },
    async get(runId) {
      const report = stored.get(runId)
      if (report) return report
      throw new BackupError('RUN_NOT_FOUND', `no run ${runId}`, { origin: 'usage' })
    },
    list: async () => [...stored.values()],
  }
}

export function emptySource(name: string): Source {
  return defineSource({
    name,
    kind: 'test',
    open: async () => ({
      describe: async () => ({}),
      async *entries() {},
      async [Symbol.asyncDispose]() {},
    }),
  })
}

export function nullTarget(onClose: () => void = () => {}): Target {
  return defineTarget({
    name: 'null',
    traits: { createOnly: true, maxConcurrency: 1 },
    put: async () => true,
    get: async () => new Uint8Array(0),
    stat: async () => undefined,
    async *list() {},
    delete: async () => {},
    close: async () => onClose(),
  })
}

export function makeSnapshot(over: Partial<Snapshot> = {}): Snapshot {
  return {
    id: '20260102t030405000-aaaaaaaaaa',
    createdAt: new Date('2026-01-02T03:04:05Z'),
    host: 'web-1',
    tags: [],
    labels: {},
    complete: true,
    kind: 'backup',
    sources: [],
    counts: {
      entries: 0,
      added: 0,
      modified: 0,
      unchanged: 0,
      deleted: 0,
      skipped: 0,
      sourceBytes: 0,
      readBytes: 0,
      newBytes: 0,
      storedBytes: 0,
    },
    durationMs: 1,
    holds: [],
    checksum: 'c0ffee',
    ...over,
  }
}

export function backupBody(
  snapshot = makeSnapshot(),
): Omit<BackupResult, 'runId' | 'startedAt' | 'endedAt' | 'durationMs' | 'warnings'> {
  return { snapshot, counts: snapshot.counts, verified: 'structure' }
}

export interface Shell {
  engine: BackupEngine
  context: EngineContext
  clock: FakeClock
  logger: ReturnType<typeof recordingLogger>
  reports: ReturnType<typeof memoryReports>
  /** What was closed, in order. */
  closed: string[]
}

export interface ShellOptions {
  verbs?: Partial<Verbs>
  options?: Partial<EngineOptions>
  parts?: Partial<EngineParts>
}

type Make = new (context: EngineContext, verbs: Verbs) => BackupEngine

export function makeShell(given: ShellOptions = {}): Shell {
  const clock = fakeClock()
  const logger = recordingLogger()
  const reports = memoryReports()
  const closed: string[] = []
  let runs = 0
  const options: EngineOptions = {
    target: nullTarget(),
    key: 'none',
    sources: [emptySource('uploads'), emptySource('main')],
    host: 'web-1',
    clock,
    logger,
    ...given.options,
  }
  const parts: EngineParts = {
    repository: { id: 'f00d' } as unknown as EngineParts['repository'],
    target: options.target,
    pool: { threads: 1, close: async () => {} },
    reports,
    warnings: [],
    newRunId: () => `run-${++runs}`,
    closers: [async () => void closed.push('pool'), async () => void closed.push('target')],
    ...given.parts,
  }
  const context = makeContext(options, makeBasics(options), parts)
  const unused = (): never => {
    throw new Error('this verb is not part of the test')
  }
  const verbs: Verbs = {
    open: unused,
    backup: unused,
    verify: unused,
    drill: unused,
    doctor: unused,
    stats: unused,
    diff: unused,
    planRestore: unused,
    restore: unused,
    planForget: unused,
    forget: unused,
    forgotten: unused,
    undoForget: unused,
    planErase: unused,
    erase: unused,
    planPrune: unused,
    prune: unused,
    planRepair: unused,
    repair: unused,
    exportZip: unused,
    importZip: unused,
    annotate: unused,
    read: async () => Readable.from([]),
    entries: unused,
    loadSnapshots: async () => [],
    ...given.verbs,
  }
  const engine = new (BackupEngine as unknown as Make)(context, verbs)
  return { engine, context, clock, logger, reports, closed }
}
