/** The version of the contracts of targets, sources, sinks and transforms, and the error for a plugin of another one. */
import { BackupError } from '../errors.ts'

export const API_VERSION = 1

interface Versioned {
  readonly apiVersion?: unknown
  readonly name?: unknown
  readonly id?: unknown
}

/** @throws BackupError PLUGIN_INCOMPATIBLE: it is made for another version of its contract, or does not say for which */
export function assertCompatible(plugin: Versioned): void {
  const { apiVersion } = plugin
  if (apiVersion === API_VERSION) return
  const name = String(plugin.name ?? plugin.id)
  const made = apiVersion === undefined ? 'has no apiVersion' : `is made for apiVersion ${String(apiVersion)}`
  throw new BackupError('PLUGIN_INCOMPATIBLE', `'${name}' ${made}, this holdfast speaks ${API_VERSION}`, {
    origin: 'usage',
    details: { plugin: name, apiVersion: String(apiVersion), supported: API_VERSION },
    hint:
      apiVersion === undefined
        ? 'Make it with defineTarget, defineSource, defineSink or defineTransform.'
        : 'Install a version of the plugin, or of holdfast, that fits the other.',
  })
}

/** For what has no version yet. @throws BackupError PLUGIN_INCOMPATIBLE: it has one, and another */
export function stampVersion(plugin: object): typeof API_VERSION {
  if ((plugin as Versioned).apiVersion !== undefined) assertCompatible(plugin)
  return API_VERSION
}
