import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { memorySource } from '../../src/testing/memory-source.ts'
import { sourceConformance } from '../../src/testing/source-conformance.ts'

const runner = { describe, it }

describe('filesystem', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-source-'))
    mkdirSync(join(folder, 'a/b'), { recursive: true })
    writeFileSync(join(folder, 'a/b/c.txt'), 'content')
    writeFileSync(join(folder, 'a-b'), 'x'.repeat(100_000))
    writeFileSync(join(folder, 'empty'), '')
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x0a, 0xc3, 0xa4])]), 'bytes')
    linkSync(join(folder, 'a-b'), join(folder, 'a/also'))
    symlinkSync('nowhere', join(folder, 'link'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  sourceConformance(runner, {
    create: () => filesystem({ name: 'files', path: folder }),
    mutate: async () => writeFileSync(join(folder, 'a/b/c.txt'), 'CONTENT'),
  })

  describe('of several roots', () => {
    sourceConformance(runner, {
      create: () => filesystem({ name: 'files', path: [join(folder, 'a-b'), join(folder, 'a')], checksum: true }),
      mutate: async () => writeFileSync(join(folder, 'a/new'), 'CONTENT'),
    })
  })
})

describe('memorySource', () => {
  let source: ReturnType<typeof memorySource>
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array([1, 2, 3])
    yield new Uint8Array([4])
  }
  sourceConformance(runner, {
    create: () => {
      const many = Array.from({ length: 2500 }, (_, i) => [`many/${i}`, `number ${i}`])
      const files = { b: 'text', 'a/b': new Uint8Array(10), c: stream, d: { open: stream, chunks: 'table' as const } }
      source = memorySource({ name: 'memory', files, concurrency: 3 })
      for (const [path, content] of many) source.set(path!, content!)
      return source
    },
    mutate: async () => {
      source.set('b', 'TEXT')
      source.set('a/b', null)
    },
  })
})
