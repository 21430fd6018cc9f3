/**
 * Gives a built folder its entrances for `require`. They load the same modules that `import` gets: one copy in a process,
 * however it is loaded. Their types are copies, since what is checked as CommonJS by `node16` may not refer to a module's.
 *
 *   node scripts/commonjs.ts
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import config from '../tsup.config.ts'

export function writeCommonJs(folder: string): void {
  for (const name of Object.keys((config as { entry: Record<string, string> }).entry)) {
    writeFileSync(join(folder, `${name}.cjs`), `'use strict'\nmodule.exports = require('./${name}.js')\n`)
  }
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.d.ts'))) {
    const types = readFileSync(join(folder, name), 'utf8').replace(/(from|import\() ?'(\.\/[^']+)\.js'/g, "$1 '$2.cjs'")
    writeFileSync(join(folder, name.replace(/\.ts$/, '.cts')), types)
  }
}

if (import.meta.main) writeCommonJs(join(import.meta.dirname, '../dist'))
