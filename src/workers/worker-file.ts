import { existsSync } from 'node:fs'
import { BackupError } from '../errors.ts'

/**
 * Where the worker's file lies: beside this module, as source or in the flat `dist`. Throws INTERNAL where there is
 * none, because a Worker of a missing file fails late. A bundle for CommonJS has no `import.meta.url`, and one for
 * elsewhere no `file:`.
 */
export function findWorkerFile(file: URL | undefined = besideThisModule()): URL {
  if (file?.protocol === 'file:' && existsSync(file)) return file
  throw new BackupError('INTERNAL', `The worker file was not found: ${file?.href ?? 'this is a bundle'}.`, {
    origin: 'repository',
    hint: 'Keep holdfast out of the bundle (list it as external), so that its files stay beside each other.',
  })
}

function besideThisModule(): URL | undefined {
  const here: string | undefined = import.meta.url
  if (here === undefined) return undefined
  // Not one literal with the URL: bundlers would copy the file alone, without what it imports.
  const name = here.endsWith('.ts') ? './worker.ts' : './holdfast-worker.js'
  return new URL(name, here)
}
