/** What docs/keys.md has to name. Its code is run by test/docs/docs.test.ts. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../../src/index.ts'

const guide = readFileSync(new URL('../../../docs/keys.md', import.meta.url), 'utf8')

it('docs/keys.md names every code that keys have', () => {
  for (const code of ERROR_CODES.filter((each) => each.startsWith('KEY_'))) expect(guide).toContain(`\`${code}\``)
})
