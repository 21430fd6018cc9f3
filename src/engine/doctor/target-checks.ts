/** The target: whether it does what a repository needs, its clock, its room, and what endangers it. */
import type { Finding } from '../../events.ts'
import { timeOfId } from '../../model/ids.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import { cleanupSignal } from '../../repository/runs.ts'
import { type ProbeCheck, type ProbeReport, probe } from '../../targets/probe.ts'
import type { ObjectInfo } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Check, CheckContext } from './check.ts'

/** Clocks of one place differ by less, and stores say their time in whole seconds. */
const SKEW_MS = 5_000
const STORE_STEP_MS = 1_000
const DAY_MS = 24 * 60 * 60 * 1000

/** Puts one small object first: where not even that works, nothing else is tried. */
const works: Check = {
  name: 'the target',
  async run(context) {
    const clock = await tryClock(context)
    const report = await probe(context.engine.target, { signal: context.signal })
    return [...clock, ...probeFindings(report, context.engine.target.traits.createOnly)]
  },
}

async function tryClock({ engine: { target, clock, newRunId }, signal }: CheckContext): Promise<Finding[]> {
  const key = `probe/${newRunId()}`
  const before = clock.now()
  try {
    await target.put(key, new Uint8Array([1]), { signal })
    const after = clock.now()
    return skewFindings(await target.stat(key, { signal }), before, after)
  } finally {
    // Also after an abort; where it may not be deleted, the probe says so.
    await target.delete([key], { signal: cleanupSignal() }).catch(() => undefined)
  }
}

function skewFindings(info: ObjectInfo | undefined, before: Date, after: Date): Finding[] {
  const there = info?.modifiedAt?.getTime()
  if (there === undefined) return []
  const behind = Math.min(0, there + STORE_STEP_MS - before.getTime())
  const skewMs = Math.round(behind < 0 ? behind : Math.max(0, there - after.getTime()))
  if (Math.abs(skewMs) < SKEW_MS) return []
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  return [
    {
      code: 'CLOCK_SKEW',
      severity: 'warning',
      message: `The clock of this machine is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} that of the target: times of snapshots, and what retention keeps, are off by as much.`,
      fix: 'Let both set their clocks by NTP.',
      details: { skewMs },
    },
  ]
}

/** One finding for each way to fail: a target that refuses to delete fails several checks. */
function probeFindings({ checks }: ProbeReport, promised: boolean): Finding[] {
  const failed = checks.filter(({ ok }) => !ok)
  const [once, others] = [failed.filter(isCreateOnce), failed.filter((check) => !isCreateOnce(check))]
  const groups = Map.groupBy(others, ({ code }) => code ?? 'TARGET_UNFIT')
  const findings = [...groups].map(([code, list]) => unfit(code, list))
  const isLoud = once.length > 0 && (promised || once.some(({ code }) => code === undefined))
  return isLoud ? [...findings, notOnce(once, promised)] : findings
}

function isCreateOnce({ name }: ProbeCheck): boolean {
  return name.startsWith('create once')
}

function unfit(code: string, checks: readonly ProbeCheck[]): Finding {
  const names = checks.map(({ name }) => name)
  const { note = 'no reason given', hint } = checks[0]!
  const left = names.includes('clean up') ? ' What was put for it may still lie below probe/.' : ''
  return {
    code,
    severity: 'error',
    message: `The target failed to ${names.join(', ')}: ${note}.${left}`,
    fix: hint ?? 'Do not keep a repository there before probe(target) says that it is fit.',
    details: { checks: names },
  }
}

function notOnce(checks: readonly ProbeCheck[], promised: boolean): Finding {
  return {
    code: 'NO_CREATE_ONCE',
    severity: promised ? 'error' : 'warning',
    message: `The target cannot create an object only if it does not exist${promised ? ', though it says so' : ''}: ${checks[0]!.note}.`,
    fix: promised
      ? 'Name the right provider, or set createOnce: false, and let one process at a time write.'
      : 'Let one process at a time write to this repository.',
    details: { checks: checks.map(({ name }) => name), promised },
  }
}

const dangers: Check = {
  name: 'what else happens to the target',
  run: async ({ engine, signal }) => (await engine.target.doctor?.({ signal })) ?? [],
}

const space: Check = {
  name: "the target's space",
  async run({ engine, options }) {
    const { freeBytes, usedBytes } = (await engine.target.space?.()) ?? {}
    if (freeBytes === undefined) return []
    const share = usedBytes === undefined ? undefined : freeBytes / Math.max(1, freeBytes + usedBytes)
    if (freeBytes > 0 && (share === undefined || share >= options.minFreeShare)) return []
    const percent = share === undefined ? '' : ` (${(share * 100).toFixed(1)} %)`
    return [
      {
        code: 'SPACE_LOW',
        severity: freeBytes === 0 ? 'error' : 'warning',
        message: `The target has ${Math.floor(freeBytes / 2 ** 20)} MiB${percent} left.`,
        fix: 'Free or add space, or forget snapshots and prune before it is full: a prune needs some room itself.',
        details: { freeBytes, ...(usedBytes !== undefined && { usedBytes }) },
      },
    ]
  },
}

/** A clock that was ahead once is seen by what it has left. */
const future: Check = {
  name: 'the times of snapshots',
  async run({ engine: { target, clock }, signal }) {
    const limit = clock.now().getTime() + SKEW_MS
    let [count, newest] = [0, 0]
    for await (const { key } of target.list(PREFIX.snapshots, { signal })) {
      throwIfAborted(signal)
      const time = timeOfId(key.slice(PREFIX.snapshots.length)) ?? 0
      if (time > limit) count++
      newest = Math.max(newest, time)
    }
    if (count === 0) return []
    const days = Math.ceil((newest - clock.now().getTime()) / DAY_MS)
    const message = `${count} snapshots are from the future, by up to ${days} days: a clock was ahead when they were made, or this one is behind.`
    const fix =
      'Set the clocks by NTP, and forget those snapshots: retention takes them for the newest until their time has come.'
    return [
      {
        code: 'SNAPSHOT_FROM_FUTURE',
        severity: 'warning',
        message,
        fix,
        details: { count, newest: new Date(newest).toISOString() },
      },
    ]
  },
}

export const TARGET_CHECKS: readonly Check[] = [works, dangers, space, future]
