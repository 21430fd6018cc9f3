/** docs/doctor.md has every code that a doctor's own checks give, and no other. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const files = ['src/targets/local/doctor.ts', 'src/targets/s3/doctor.ts', 'src/sources/filesystem/doctor.ts']

it('names every finding in docs/doctor.md', () => {
  const own = readdirSync(join(ROOT, 'src/engine/doctor')).map((name) => `src/engine/doctor/${name}`)
  const text = [...files, ...own].map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
  const given = [...text.matchAll(/code: (?:\w+ \? )?'([A-Z0-9_]+)'(?: : '([A-Z0-9_]+)')?/g)].flatMap((found) =>
    found.slice(1),
  )
  const codes = new Set(given.filter((code) => code !== undefined))
  expect(codes.size).toBeGreaterThan(20)
  const page = readFileSync(join(ROOT, 'docs/doctor.md'), 'utf8')
  expect([...codes].filter((code) => !page.includes(`\`${code}\``))).toEqual([])
  const elsewhere = /^(TARGET_|SOURCE_(NOT_FOUND|DENIED)|WORKERS_UNAVAILABLE|CACHE_|OBJECT_|KEY_)/
  const named = [...page.matchAll(/^\| `([A-Z0-9_]+)`/gm)].map(([, code]) => code!)
  expect(named.filter((code) => !codes.has(code) && !elsewhere.test(code))).toEqual([])
})
