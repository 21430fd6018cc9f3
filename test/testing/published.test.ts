/**
 * The published kit: what it imports, and that the guide for authors is right, block by block, run by node:test.
 * test/docs/docs.test.ts type-checks them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, installBuilt, ROOT } from '../built-package.ts'

const guide = readFileSync(join(ROOT, 'docs/plugins.md'), 'utf8')
const blocks = [...guide.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(
  ([, name, code]) => [name!, code!] as const,
)
const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }
let built: Installed

beforeAll(async () => {
  built = await installBuilt()
  for (const [name, code] of blocks) writeFileSync(join(built.folder, name), code)
}, 60_000)
afterAll(() => built.remove())

describe('docs/plugins.md', () => {
  it('gives each block of code a name', () => {
    expect(guide.match(/^```ts$/gm)).toHaveLength(blocks.length)
    expect(new Set(blocks.map(([name]) => name)).size).toBe(blocks.length)
  })

  it('has plugins that pass the suites', async () => {
    const { stdout } = await built.node('plugins.test.ts')
    expect(stdout).toMatch(/fail 0\n.*skipped 1\n/s)
    for (const kind of ['target', 'source', 'sink', 'transform']) expect(stdout).toContain(`${kind} conformance`)
    expect(stdout).toContain('**shelf**: creates once between processes')
  })

  it('has a repository on a target, put back', async () => {
    expect((await built.node('repository.test.ts')).stdout).toContain('pass 1')
  })

  it('has fakes that work', async () => {
    expect((await built.node('fakes.test.ts')).stdout).toContain('pass 1')
  })

  it('names every option and every fake', () => {
    const names = [
      'outage',
      'processes',
      'callMs',
      'localFiles',
      'onCard',
      'profile',
      'cleanup',
      'capabilityCard',
      'crashAfter',
      'countingTarget',
      'fakeClock',
    ]
    expect(names.filter((name) => !guide.includes(`${name}(`) && !guide.includes(`\`${name}\``))).toEqual([])
  })
})

describe('holdfast/testing as built', () => {
  it('needs no test runner: only node, its own chunks and what holdfast depends on', () => {
    const seen = new Set<string>()
    const outside = new Set<string>()
    const walk = (file: string): void => {
      if (seen.has(file)) return
      seen.add(file)
      const text = readFileSync(join(built.folder, 'node_modules/holdfast/dist', file), 'utf8')
      for (const [, fixed, lazy] of text.matchAll(
        /^(?:import|export)\b[^'"`;]*?["']([^"']+)["'];|\bimport\("([^"]+)"\)/gm,
      )) {
        const to = (fixed ?? lazy)!
        if (to.startsWith('./')) walk(to.slice(2))
        else if (!to.startsWith('node:')) outside.add(to)
      }
    }
    walk('testing.js')
    expect(seen.size).toBeGreaterThan(2)
    expect([...outside].filter((name) => !(name in dependencies))).toEqual([])
  })
})
