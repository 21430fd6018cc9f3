/** The sources: each says itself what would make a backup of it fail. */
import type { Source } from '../../sources/source.ts'
import { placesOf } from '../backup/open-sources.ts'
import type { ParsedDoctorOptions } from '../options/doctor.ts'
import type { EngineContext } from '../types/context.ts'
import type { Check } from './check.ts'

export function sourceChecks({ sources }: EngineContext, { sources: names }: ParsedDoctorOptions): Check[] {
  return sources.filter(({ name, doctor }) => doctor && (names?.includes(name) ?? true)).map(checkOf)
}

function checkOf(source: Source): Check {
  return {
    name: `source ${source.name}`,
    async run({ engine, signal }) {
      const findings = await source.doctor!({ signal, excludePaths: placesOf(engine.target) })
      return findings.map((finding) => ({ ...finding, details: { ...finding.details, source: source.name } }))
    },
  }
}
