/** Where bsdtar or 7z can neither be found nor installed, these tests say so and fail nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aptInstall } from '../../servers/apt.ts'
import { run, ZipGround } from './zip-support.ts'

const PACKAGES = { bsdtar: 'libarchive-tools', '7z': 'p7zip-full' } as const
let ground: ZipGround

beforeAll(async () => {
  ground = await ZipGround.make()
  await ground.fill()
  await ground.engine.backup()
  await ground.engine.exportZip({ snapshot: 'latest', to: { path: ground.at('out.zip') } })
})
afterAll(() => ground.close())

const has = (tool: string): Promise<boolean> =>
  run('sh', ['-c', `command -v ${tool}`]).then(
    () => true,
    () => false,
  )

async function found(tool: keyof typeof PACKAGES): Promise<boolean> {
  if (await has(tool)) return true
  await aptInstall([PACKAGES[tool]]).catch(() => false)
  const isThere = await has(tool)
  if (!isThere) process.emitWarning(`${tool} is not here and cannot be installed: exported ZIPs were NOT tried with it`)
  return isThere
}

describe('exported ZIPs open in', { timeout: 180_000 }, () => {
  it('bsdtar, to the same tree', async () => {
    if (!(await found('bsdtar'))) return
    await run('sh', ['-c', 'mkdir bsd && bsdtar -xf out.zip -C bsd'], { cwd: ground.root })
    await run('diff', ['-r', '--no-dereference', '--exclude=raw-*', ground.at('tree'), ground.at('bsd/files/docs')])
  })

  it('7z', async () => {
    if (!(await found('7z'))) return
    const { stdout } = await run('7z', ['t', ground.at('out.zip')])
    expect(stdout).toContain('Everything is Ok')
  })
})
