/** The code of docs/keys.md runs, block after block, on a repository of its own. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as holdfast from '../../../src/index.ts'
import { ANN, codeOf, freshTarget, open } from './support.ts'

const guide = readFileSync(new URL('../../../docs/keys.md', import.meta.url), 'utf8')
const blocks = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)

it('docs/keys.md: every block runs, in order', async () => {
  const target = freshTarget()
  const engine = await open(target, ANN)
  await engine.backup()
  const said: string[] = []
  const flip = async (bytes: Uint8Array): Promise<Uint8Array> => bytes.map((byte) => byte ^ 1)
  const process = { env: { BACKUP_PASSPHRASE: 'a passphrase', BACKUP_KEY: '00'.repeat(32) } }
  const console = { log: (...texts: unknown[]) => said.push(texts.join(' ')) }
  const code = blocks.join('\n').replace(/^import \{(.*)\} from 'holdfast'$/m, 'const {$1} = holdfast')
  const names = ['holdfast', 'BackupEngine', 'engine', 'target', 'kms', 'process', 'console']
  const typed = "sheet.match(/^ {4}[0-9A-Z]{5} .*$/gm).join(' ')"
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...args: unknown[]) => Promise<object>
  const run = new AsyncFunction(
    ...names,
    `${code.replace('rawKey(typed)', `rawKey(${typed})`)}\nreturn engineOfThatDay`,
  )
  const kms = { encrypt: flip, decrypt: flip }
  const args = [holdfast, holdfast.BackupEngine, engine, target, kms, process, console]
  const recovered = (await run(...args)) as holdfast.BackupEngine
  expect(await recovered.snapshots().toArray()).toHaveLength(1)
  expect(said.join('\n')).toMatch(/\(this one\)[\s\S]*generation 2; first can read it\ndone \d+/)
  expect(await codeOf(open(target, holdfast.passphrase('six words that nobody else would think of')))).toBe('KEY_WRONG')
  await Promise.all([engine.close(), recovered.close()])
})

it('docs/keys.md names every code that keys have', () => {
  for (const code of holdfast.ERROR_CODES.filter((each) => each.startsWith('KEY_')))
    expect(guide).toContain(`\`${code}\``)
})
