/** Looks, then writes, without waiting in between: within one process that is atomic, between two it is not. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkKey } from '../../../src/targets/checks.ts'
import { localTarget } from '../../../src/targets/local/local-target.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'
import { throwIfAborted } from '../../../src/util/abort.ts'

export function looksFirst(folder: string): Target {
  return wrapTarget(localTarget(folder), {
    async put(key, body, { ifAbsent = false, signal } = {}) {
      checkKey(key)
      throwIfAborted(signal)
      const path = join(folder, key)
      if (ifAbsent && existsSync(path)) return false
      mkdirSync(dirname(path), { recursive: true })
      const temporary = join(folder, `writing-${process.pid}`)
      writeFileSync(temporary, body)
      renameSync(temporary, path)
      return true
    },
  })
}
