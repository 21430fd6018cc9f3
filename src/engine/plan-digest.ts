/** What makes a plan that comes back the plan that was made. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError, type Json } from '../errors.ts'

/** Over everything but itself, whatever the order of keys. */
export function planDigest({ digest: _, ...plan }: { repositoryId: string; digest?: string }): string {
  return sha256Hex(new TextEncoder().encode(canonical(plan as unknown as Json)))
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`
}

interface CheckedPlan {
  readonly digest: string
  readonly repositoryId: string
  readonly destructive: boolean
}

/** @throws BackupError PLAN_FOREIGN, PLAN_STALE for one that was edited, CONFIRMATION_REQUIRED */
export function requirePlan(plan: CheckedPlan, repositoryId: string, confirm: string | undefined): void {
  requireOwnPlan(plan, repositoryId)
  requireConfirmation(plan, confirm)
}

export function requireOwnPlan(plan: CheckedPlan, repositoryId: string): void {
  if (plan.repositoryId !== repositoryId) {
    throw new BackupError('PLAN_FOREIGN', 'This plan is for another repository.', {
      origin: 'usage',
      hint: 'Make a plan with this engine, or run this one with an engine of the repository it was made for.',
    })
  }
  if (planDigest(plan) === plan.digest) return
  throw new BackupError('PLAN_STALE', 'This plan is not as it was made: its digest differs.', {
    origin: 'usage',
    hint: 'Make a new plan; plans are not to be edited.',
  })
}

export function requireConfirmation({ destructive, digest }: CheckedPlan, confirm: string | undefined): void {
  if (confirm === digest || (confirm === undefined && !destructive)) return
  const why = confirm === undefined ? 'This plan overwrites or deletes something.' : 'Another plan was confirmed.'
  throw new BackupError('CONFIRMATION_REQUIRED', why, {
    origin: 'usage',
    hint: 'Show the plan to whoever decides, and give its digest as confirm.',
  })
}

/** PLAN_STALE: what the plan is about has changed since. */
export function stale(why: string): BackupError {
  return new BackupError('PLAN_STALE', why, { origin: 'usage', hint: 'Make a new plan.' })
}
