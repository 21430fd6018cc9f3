import { join } from 'node:path'
import { describe, it } from 'vitest'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { folder } from '../../src/sources/filesystem/folder.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { temporaryFolder } from '../sources/filesystem/temporary.ts'

const runner = { describe, it }
const place = temporaryFolder()

describe('folder, empty', () => sinkConformance(runner, { create: () => folder({ path: place.path }) }))
describe('folder, not there yet', () =>
  sinkConformance(runner, { create: () => folder({ path: join(place.path, 'new/one'), owner: false }) }))
describe('the sink of a filesystem source', () =>
  sinkConformance(runner, { create: () => filesystem({ name: 'files', path: join(place.path, 'uploads') }).sink!() }))
