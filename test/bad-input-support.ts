/** What tests of bad input share. */
import { expect } from 'vitest'
import { type BackupError, type ErrorCode, memoryTarget } from '../src/index.ts'
import { type MemoryTarget, makeTree, openOn } from './faults/support.ts'

/** Rejects with this code, and with a sentence about what to do. */
export async function expectRefused(promise: Promise<unknown>, code: ErrorCode, says: RegExp): Promise<void> {
  const error = (await promise.then(
    () => expect.unreachable(`resolved, but ${code} was expected`),
    (reason: unknown) => reason,
  )) as BackupError
  expect({ code: error.code, message: error.message }).toEqual({ code, message: error.message })
  expect(`${error.message} ${error.hint ?? ''}`).toMatch(says)
  // What is wrong with an option says by itself what to do.
  if (code !== 'INVALID_OPTIONS') expect(error.hint ?? '', `${code}: ${error.message}`).toMatch(/\w+.*\./)
}

/** What matters of a target; a run may leave its report, and what it uploaded before it failed. */
export const stateOf = ({ objects }: MemoryTarget): Record<string, string> =>
  Object.fromEntries(
    [...objects]
      .filter(([key]) => !/^(reports|packs|index)\//.test(key))
      .map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]),
  )

/** A repository with one snapshot of a small tree. */
export async function made(source: string): Promise<{ target: MemoryTarget; snapshot: string }> {
  makeTree(source, 400_000)
  const target = memoryTarget()
  const engine = await openOn(target, source)
  const { snapshot } = await engine.backup()
  await engine.close()
  return { target, snapshot: snapshot.id }
}
