/** Programs of the system, for what Node cannot do. None is required: what is missing without one is said. */
import { accessSync, constants } from 'node:fs'

const USUAL = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

export function searchPath(): string {
  return process.env.PATH || USUAL
}

/** Whether the program could be started. */
export function hasProgram(name: string): boolean {
  return searchPath()
    .split(':')
    .some((folder) => folder.startsWith('/') && isExecutable(`${folder}/${name}`))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
