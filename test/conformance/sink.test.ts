import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { folder } from '../../src/sources/filesystem/folder.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'

const runner = { describe, it }
let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-sink-'))
})
afterEach(() => rmSync(place, { recursive: true }))

describe('folder, empty', () => sinkConformance(runner, { create: () => folder({ path: place }) }))
describe('folder, not there yet', () =>
  sinkConformance(runner, { create: () => folder({ path: join(place, 'new/one'), owner: false }) }))
describe('the sink of a filesystem source', () =>
  sinkConformance(runner, { create: () => filesystem({ name: 'files', path: join(place, 'uploads') }).sink!() }))
