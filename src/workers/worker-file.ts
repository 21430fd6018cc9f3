import { existsSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { BackupError } from '../errors.ts'

const BUILT_NAMES = ['./holdfast-worker.js', './holdfast-worker.mjs', './holdfast-worker.cjs']
const REMEDY =
  'Keep holdfast out of the bundle, or bundle holdfast/worker as holdfast-worker.js beside it, or say where it is by workerPool({ file }).'

/**
 * Where the worker's file lies: as given, or beside this module, be that source, the flat `dist` or somebody's bundle.
 * Throws INTERNAL where there is none, because a Worker of a missing file fails late.
 */
export function findWorkerFile(given?: URL): URL {
  const places = given ? [given] : here().flatMap(besides)
  const found = places.find(isThere)
  if (found !== undefined) return found
  const sought = places[0]?.href ?? 'this is a bundle'
  throw new BackupError('INTERNAL', `The worker file was not found: ${sought}. ${REMEDY}`, { origin: 'repository' })
}

export function isThere(file: URL): boolean {
  return file.protocol === 'file:' && existsSync(file) && statSync(file).isFile()
}

function besides(base: string): URL[] {
  // Not one literal with the URL: bundlers would copy the file alone, without what it imports.
  const names = base.endsWith('.ts') ? ['./worker.ts'] : BUILT_NAMES
  return names.map((name) => new URL(name, base))
}

/**
 * This module. A bundle for CommonJS has no `import.meta.url`, but a `__filename`; webpack makes of the former where the
 * module lay when it was bundled, which may be gone.
 */
function here(): string[] {
  const url: string | undefined = import.meta.url
  return [url, commonJsUrl()].filter((place) => place?.startsWith('file:') === true) as string[]
}

function commonJsUrl(): string | undefined {
  try {
    return pathToFileURL(__filename).href
  } catch {
    // Not asked with `typeof`, to which webpack gives an answer of its own.
    return undefined
  }
}
