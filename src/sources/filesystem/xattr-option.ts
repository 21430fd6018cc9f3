/** The option `xattrs`, of the source and of the sink: the programs are asked for once, before any work. */
import { z } from 'zod'
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { hasProgram } from './programs.ts'

/** 'auto': where the program is there, else the warning XATTRS_UNAVAILABLE. True: or PEER_MISSING. */
export type XattrsOption = 'auto' | boolean

const RULE = "must be 'auto', true or false"
export const xattrsSchema = z.exactOptional(z.union([z.literal('auto'), z.boolean()], RULE))

export const XATTRS_HINT =
  'Install the package attr, which holds getfattr and setfattr (Linux), or set xattrs: false if nothing here has extended attributes or ACLs.'

/** Whether to use them. @throws BackupError PEER_MISSING */
export function useXattrs(
  option: XattrsOption,
  program: string,
  what: string,
  warn: (warning: Warning) => void,
): boolean {
  if (option === false) return false
  if (process.platform === 'linux' && hasProgram(program)) return true
  const message = `extended attributes and ACLs are not ${what}: there is no program ${program}`
  if (option === true)
    throw new BackupError('PEER_MISSING', message, { origin: 'usage', hint: XATTRS_HINT, details: { program } })
  warn({ code: 'XATTRS_UNAVAILABLE', message: `${message}. ${XATTRS_HINT}`, details: { program } })
  return false
}
