/** What a drill was, in words. */
import type { Finding } from '../../events.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import type { RunContext } from '../run/context.ts'

export interface DrillFacts {
  sound: boolean
  recoveryMs: number
  findings: readonly Finding[]
  run: Pick<RunContext, 'runId' | 'startedAt' | 'actor'>
  snapshot: SnapshotRecord
  sources: readonly string[]
}

export function drillText({ sound, recoveryMs, findings, run, snapshot, sources }: DrillFacts): string {
  const chosen = snapshot.sources.filter(({ name }) => sources.includes(name))
  const lines = [
    `Recovery drill: ${sound ? 'passed' : 'FAILED'}`,
    `Run:      ${run.runId}, ${run.startedAt.toISOString()}${run.actor === undefined ? '' : `, by ${run.actor}`}`,
    `Snapshot: ${snapshot.id}, made ${snapshot.createdAt} on ${snapshot.host}`,
    ...chosen.map(
      ({ name, kind, entries, bytes }) => `Source:   ${name} (${kind}), ${entries} entries, ${bytes} bytes`,
    ),
    `Recovery: ${(recoveryMs / 1000).toFixed(1)} s until all was restored and checked`,
    `Findings: ${findings.length === 0 ? 'none' : findings.length}`,
    ...findings.flatMap(({ severity, code, message, fix }) => [
      `- ${severity} ${code}: ${message}`,
      ...(fix === undefined ? [] : [`  ${fix}`]),
    ]),
  ]
  return `${lines.join('\n')}\n`
}
