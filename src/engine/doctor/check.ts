/** One check: time-limited, and whatever goes wrong in it is a finding. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { RetryNotice } from '../../targets/wrappers/retrying.ts'
import { linkAbort, settled, throwIfAborted } from '../../util/abort.ts'
import type { ParsedDoctorOptions } from '../options/doctor.ts'
import type { RunContext } from '../run/context.ts'
import { asCurrent } from '../run/current-run.ts'
import type { EngineContext } from '../types/context.ts'

/** Of a doctor every finding says what to do. */
export type Advice = Finding & { fix: string }

export interface CheckContext {
  readonly engine: EngineContext
  readonly options: ParsedDoctorOptions
  /** Aborts when the check has taken too long, too. */
  readonly signal: AbortSignal
}

export interface Check {
  /** What is looked at, for people. */
  readonly name: string
  run(context: CheckContext): Promise<readonly Finding[]>
}

/** What a check that was called off may take to clean up after itself. */
const CLEAN_UP_MS = 5_000

/** Rejects only when the run itself is aborted. */
export async function runCheck(
  check: Check,
  engine: EngineContext,
  options: ParsedDoctorOptions,
  run: RunContext,
): Promise<Advice[]> {
  const limit = linkAbort(run.signal)
  const ended = new AbortController()
  const late = new BackupError('TIMEOUT', 'a check took too long', { origin: 'usage' })
  engine.clock.sleep(options.checkTimeoutMs, { signal: ended.signal }).then(
    () => limit.abort(late),
    () => {},
  )
  const retries: RetryNotice[] = []
  const work = asCurrent(noting(run, retries), () => check.run({ engine, options, signal: limit.signal }))
  try {
    return (await within(work, limit.signal)).map(withFix)
  } catch (error) {
    throwIfAborted(run.signal)
    return [withFix(limit.signal.aborted ? tooLate(check, options, retries.at(-1)) : findingOf(error, check))]
  } finally {
    ended.abort()
    limit.dispose()
  }
}

/** Repetitions are not told to listeners: a doctor is a run without events. */
function noting(run: RunContext, retries: RetryNotice[]): RunContext {
  const emit: RunContext['emit'] = (event, fields) => {
    if (event === 'target:retry') retries.push(fields as unknown as RetryNotice)
  }
  return { ...run, emit }
}

/** Once called off, it has some time to clean up, and then to be forgotten. */
async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const called = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => called.resolve(), { once: true })
  if (signal.aborted) called.resolve()
  await Promise.race([settled(work, 2 ** 31 - 1), called.promise])
  if (!signal.aborted) return await work
  await settled(work, CLEAN_UP_MS)
  throw signal.reason
}

function tooLate({ name }: Check, { checkTimeoutMs }: ParsedDoctorOptions, retry: RetryNotice | undefined): Finding {
  if (retry !== undefined) return findingOf(retry.error, { name })
  return {
    code: 'CHECK_TIMED_OUT',
    severity: 'warning',
    message: `Looking at ${name} was not done within ${checkTimeoutMs} ms.`,
    fix: 'See whether it hangs or is slow, and ask again with a larger checkTimeoutMs.',
    details: { check: name, checkTimeoutMs },
  }
}

/** Not being able to look is a finding too. */
export function findingOf(error: unknown, { name }: Pick<Check, 'name'>): Finding {
  if (BackupError.is(error)) {
    const { code, message, hint, details } = error
    return {
      code,
      severity: 'error',
      message,
      ...(hint !== undefined && { fix: hint }),
      details: { ...details, check: name },
    }
  }
  const what = error instanceof Error ? error.message : String(error)
  const message = `Looking at ${name} failed: ${what}`
  const fix = 'A plugin, or the system, does what it should not: the message says what.'
  return { code: 'CHECK_FAILED', severity: 'error', message, fix, details: { check: name } }
}

/** Findings of plugins may be without. */
function withFix(finding: Finding): Advice {
  return { ...finding, fix: finding.fix ?? `See what ${finding.code} means in the documentation of whoever says so.` }
}
