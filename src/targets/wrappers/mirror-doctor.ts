/** What the targets of a mirror find about themselves. */
import type { Finding } from '../../events.ts'
import type { Target, TargetDoctorContext } from '../target.ts'

/** Of all of them, each finding with the name of the target that it is about. */
export async function examineAll(targets: readonly Target[], context: TargetDoctorContext): Promise<Finding[]> {
  const found = await Promise.all(targets.map((target) => examineOne(target, context)))
  return found.flat()
}

async function examineOne(target: Target, context: TargetDoctorContext): Promise<Finding[]> {
  const findings = (await target.doctor?.(context)) ?? []
  return findings.map((finding) => ({
    ...finding,
    message: `${target.name}: ${finding.message}`,
    details: { ...finding.details, target: target.name },
  }))
}
