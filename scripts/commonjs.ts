/**
 * Gives a built folder its entrances for `require`, which load the same modules that `import` gets: one copy in a process,
 * however it is loaded. Their types are copies, since a CommonJS file that is checked with `node16` may not refer to a
 * module's. Usage: node scripts/commonjs.ts [folder]
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import config from '../tsup.config.ts'

const folder = process.argv[2] ?? join(import.meta.dirname, '../dist')
const entries = Object.keys((config as { entry: Record<string, string> }).entry)

for (const name of entries) {
  writeFileSync(join(folder, `${name}.cjs`), `'use strict'\nmodule.exports = require('./${name}.js')\n`)
}
for (const name of readdirSync(folder).filter((each) => each.endsWith('.d.ts'))) {
  const types = readFileSync(join(folder, name), 'utf8').replace(/(from|import\() ?'(\.\/[^']+)\.js'/g, "$1 '$2.cjs'")
  writeFileSync(join(folder, name.replace(/\.ts$/, '.cts')), types)
}
