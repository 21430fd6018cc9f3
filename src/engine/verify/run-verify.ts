/** The verify verb, and the same check inside a backup. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import { PREFIX, parseKey } from '../../repository/keys-layout.ts'
import type { ParsedVerifyOptions } from '../options/verify.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import type { EngineContext } from '../types/context.ts'
import type { VerifyResult } from '../types/verify.ts'
import { type CheckResult, check } from './check.ts'
import { checkContents } from './check-contents.ts'
import type { CheckOptions, CheckProgress } from './check-work.ts'
import { Findings } from './findings.ts'
import { recordProofs } from './record-proofs.ts'

/** What a check is done within. */
type Within = Pick<RunContext, 'signal' | 'actor' | 'warn'> & { progress: CheckProgress }

export function verify(engine: EngineContext, options: ParsedVerifyOptions): Promise<VerifyResult> {
  const call = {
    verb: 'verify' as const,
    options,
    describe: describeOptions(options),
    summarize: ({ snapshots, findings, packsRead, bytesRead }: BodyResult<'verify'>) => ({
      ...(options.snapshots !== 'all' && snapshots.length === 1 && { snapshot: snapshots[0]!.id }),
      counts: { snapshots: snapshots.length, findings: findings.length, packsRead, bytesRead },
    }),
  }
  return withRun(engine, call, async (run) => {
    const { sound, findings, packsRead, bytesRead, snapshots, coverage } = await checkAndRecord(engine, options, run)
    return { sound, level: options.level, findings, packsRead, bytesRead, snapshots, coverage }
  })
}

/**
 * Proves one snapshot right after it was committed.
 * @throws BackupError OBJECT_CORRUPT when it is not sound; `details.snapshot` names it, since it is there all the same
 */
export async function verifySnapshot(
  engine: EngineContext,
  id: string,
  level: 'data' | 'content',
  run: RunContext,
): Promise<void> {
  run.progress.phase('verify')
  const progress = quietProgress(run)
  const { snapshots, findings } = await checkAndRecord(engine, { level, snapshots: [id] }, { ...run, progress })
  if (snapshots.every(({ sound }) => sound)) return
  throw new BackupError('OBJECT_CORRUPT', `Snapshot ${id} was committed, but is not what was stored.`, {
    origin: 'repository',
    details: { snapshot: id, findings: findings.slice(0, 5).map(({ code, message }) => ({ code, message })) },
    hint: 'Do not rely on this snapshot. Check the storage and the memory of this machine, then back up again.',
  })
}

/** A backup counts its own bytes: inside it a check only shows that it is alive. */
function quietProgress({ progress }: RunContext): CheckProgress {
  const touch = (): void => progress.touch()
  return { phase: touch, total: touch, add: touch, touch }
}

async function checkAndRecord(engine: EngineContext, options: CheckOptions, within: Within): Promise<CheckResult> {
  const result = await checkBesidePrunes(engine, options, within)
  passBy(engine, result.findings)
  within.progress.phase('record')
  await recordProofs({ engine, options, ...within }, result)
  return result
}

/** Until it is repaired, no backup of this process counts on a pack that is lost or damaged: it stores those chunks again. */
function passBy({ repository }: EngineContext, findings: readonly Finding[]): void {
  const packs = findings.flatMap(({ object = '', severity }) => {
    const key = severity === 'error' ? parseKey(object) : undefined
    return key?.area === 'packs' ? [key.name] : []
  })
  if (packs.length > 0) repository.index.markAbsent(new Set(packs))
}

async function withContents(engine: EngineContext, data: CheckResult, within: Within): Promise<CheckResult> {
  const unsound = new Set(data.snapshots.filter(({ sound }) => !sound).map(({ id }) => id))
  const { signal, progress } = within
  const contents = await checkContents({ engine, signal, progress, unsound }, data.infos)
  const findings = [...data.findings, ...contents.list()]
  return {
    ...data,
    sound: data.sound && contents.unsound.size === 0,
    findings: RANKS.flatMap((rank) => findings.filter(({ severity }) => severity === rank)),
    snapshots: data.snapshots.map(({ id, sound }) => ({ id, sound: sound && !contents.unsound.has(id) })),
  }
}

const RANKS: readonly Finding['severity'][] = ['error', 'warning', 'info']

/** What a prune took away while the check was looking is not damage: then all is looked at once more. */
async function checkBesidePrunes(engine: EngineContext, options: CheckOptions, within: Within): Promise<CheckResult> {
  const { signal, progress } = within
  const isOfContent = options.level === 'content'
  const checked: CheckOptions = isOfContent ? { ...options, level: 'data' } : options
  const checkOnce = async (): Promise<CheckResult> => {
    const data = await check({ engine, options: checked, signal, progress, findings: new Findings() })
    return isOfContent ? withContents(engine, data, within) : data
  }
  const before = await prunes(engine, signal)
  const result = await checkOnce()
  if (!result.findings.some(isMissing) || (await prunes(engine, signal)) === before) return result
  return checkOnce()
}

function isMissing({ code }: Finding): boolean {
  return code === 'OBJECT_MISSING'
}

/** Changes with every prune. */
async function prunes({ repository }: EngineContext, signal: AbortSignal): Promise<string> {
  const keys: string[] = []
  for await (const { key } of repository.repository.target.list(PREFIX.gc, { signal })) keys.push(key)
  return keys.sort().join()
}
