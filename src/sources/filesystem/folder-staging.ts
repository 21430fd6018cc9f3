/**
 * A new folder is filled under a hidden name beside its own, which only the owner can enter, and gets its own by one
 * rename at the commit: no file needs a temporary name then, and nothing half restored is ever seen. What a killed
 * process leaves is only that hidden folder. It is never taken up again, nor cleared away by a later restore, which could
 * not tell it from one that another process is filling.
 */
import { lstatSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { PlacePlan } from '../sink.ts'
import { placeError, placeFailure } from './place-errors.ts'
import { nativePath } from './stat.ts'

/** Of the name, so that the hidden one is not too long: at most 4 bytes each. */
const NAME_CHARACTERS = 40

/** The plan for a folder that is not there yet. */
export function stagedPlan(plan: PlacePlan): PlacePlan {
  const name = [...basename(plan.root)].slice(0, NAME_CHARACTERS).join('')
  return { ...plan, root: join(dirname(plan.root), `.${name}.holdfast-${hex(randomBytes(8))}`), becomes: plan.root }
}

/** The rename at the end, and the way back. Of a plan that is not staged it does nothing. */
export class FolderStaging {
  private readonly plan: PlacePlan
  private isMade = false
  private isRenamed = false

  constructor(plan: PlacePlan) {
    this.plan = plan
  }

  /** The folder as the user knows it. */
  get final(): string {
    return this.plan.becomes ?? this.plan.root
  }

  /** Where it is now. */
  get current(): string {
    return this.isRenamed ? this.final : this.plan.root
  }

  /** @throws BackupError RESTORE_CONFLICT where something has come under the final name, a dangling link too */
  check(): void {
    if (this.plan.becomes === undefined) return
    if (exists(this.final)) {
      const path = userToLatin1(this.final)
      throw placeError('RESTORE_CONFLICT', path, 'something of that name has come meanwhile', 'EEXIST')
    }
    this.isMade = exists(this.plan.root)
  }

  /** After `check`. The system itself refuses to put it over anything but an empty folder. */
  commit(): void {
    if (!this.isMade) return
    try {
      renameSync(native(this.plan.root), native(this.final))
      this.isRenamed = true
    } catch (error) {
      throw placeFailure('give the restored folder its name', userToLatin1(this.final), error)
    }
  }

  /** What is left under the hidden name, when all that is known to be made has been taken away. */
  async discard(): Promise<void> {
    if (this.plan.becomes === undefined || this.isRenamed) return
    await rm(native(this.plan.root), { recursive: true, force: true })
  }
}

function native(path: string): string | Buffer {
  return nativePath(userToLatin1(path))
}

function exists(path: string): boolean {
  return lstatSync(native(path), { throwIfNoEntry: false }) !== undefined
}
