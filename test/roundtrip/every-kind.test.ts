/** Every kind of entry that a file system holds, compared by programs that this project did not write. Made as root, on Linux. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { BackupEngine, filesystem, memoryTarget, type Warning } from '../../src/index.ts'
import { KEY, noise, scratch } from '../faults/support.ts'
import { requirePrograms } from './outside-proof.ts'
import { putFile, rawPath } from './round-trip.ts'

const MIB = 1024 * 1024
const space = scratch()
const at = (...names: string[]): string => space.at('source', ...names)
const put = (name: string | Buffer, content?: string | Uint8Array, mode?: number): void =>
  putFile(rawPath(at(), name), content, mode)
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'latin1', cwd: at(), stdio: ['ignore', 'pipe', 'pipe'] })
const shell = (script: string, cwd = at()): string => execFileSync('sh', ['-c', script], { encoding: 'latin1', cwd })

const TIMES = [
  '1902-03-04 05:06:07.123456789',
  '1969-12-31 23:59:59.5',
  '2107-08-09 10:11:12.987654321',
  '2199-01-01 00:00:00',
]
const FAR_SEGMENT = 'd'.repeat(200)
const FAR_DEPTH = 45

function plant(): void {
  mkdirSync(at())
  for (const bytes of [[0xff, 0x0a, 0x3d, 0x5c], [0x80], ...Array.from({ length: 8 }, (_, i) => [0x41 + i, 0xe9])]) {
    put(Buffer.from(bytes), `${bytes}`)
  }
  put('n'.repeat(255))
  put('new\nline', 'x')
  plantLinks()
  plantSpecial()
  plantSparse()
  for (const [i, time] of TIMES.entries()) {
    put(`time-${i}`)
    symlinkSync('nowhere', at(`time-link-${i}`))
    run('touch', '-h', '-d', `${time} UTC`, `time-${i}`, `time-link-${i}`)
  }
  run('chown', '-h', '12:34', 'time-link-0')
  plantAttributes()
}

function plantSpecial(): void {
  run('mknod', 'char', 'c', '1048', '70000')
  run('mknod', 'block', 'b', '7', '250')
  for (const mode of [0o4755, 0o2755, 0o6711, 0o1644]) {
    put(`mode-${mode.toString(8)}`, 'x')
    chownSync(at(`mode-${mode.toString(8)}`), 5, 6)
    chmodSync(at(`mode-${mode.toString(8)}`), mode)
  }
  mkdirSync(at('sticky'))
  chmodSync(at('sticky'), 0o1777)
}

function plantSparse(): void {
  const far = openSync(at('sparse-10g'), 'w')
  ftruncateSync(far, 10_240 * MIB)
  writeSync(far, noise(300_000, 4), 0, 300_000, 7000 * MIB)
  closeSync(far)
  const near = openSync(at('sparse-near'), 'w')
  ftruncateSync(near, 3 * MIB)
  for (const position of [0, 512 * 1024, 2 * MIB]) writeSync(near, noise(65_536, position + 1), 0, 65_536, position)
  closeSync(near)
  writeFileSync(at('dense-zeros'), new Uint8Array(3 * MIB))
}

function plantLinks(): void {
  mkdirSync(at('links'))
  run('mkfifo', '-m', '640', 'pipe')
  put('links/one', noise(2 * MIB, 9))
  linkSync(at('links/one'), at('links/two'))
  linkSync(at('links/one'), at('linked'))
  linkSync(at('pipe'), at('links/pipe'))
}

function plantAttributes(): void {
  mkdirSync(at('shared', 'deep'), { recursive: true })
  put('shared/deep/file')
  run('setfacl', '-m', 'u:1234:rwx,d:u:1234:rwx,d:g:99:r', 'shared', 'shared/deep')
  run('setfacl', '-m', 'u:1234:rw', 'shared/deep/file')
  run('setfattr', '-n', 'user.note', '-v', 'of the root', '.')
  run('setfattr', '-n', 'user.on a link', '-v', 'one file', 'linked')
  run('setfattr', '-n', 'user.empty', 'sparse-near')
  run('setfattr', '-n', 'user.odd=\n', '-v', '0x00ff0a22', 'new\nline')
  shell(`printf '\\200\\0' | xargs -0 setfattr -n user.bytes -v 1`)
  run('setfattr', '-n', 'trusted.of-all', '-v', 'x', 'char', 'pipe', 'sticky', 'n'.repeat(255))
  run('setfattr', '-h', '-n', 'trusted.link', '-v', 'x', 'time-link-0')
  run('setfattr', '-n', 'security.capability', '-v', '0x0100000200200000000000000000000000000000', 'mode-4755')
  put('many', '')
  for (let i = 0; i < 30; i++) run('setfattr', '-n', `user.${i}`, '-v', 'v'.repeat(90), 'many')
}

/** Deeper than a path may be long: by one relative step after the other. */
function plantFar(): void {
  const walk = `for (1..${FAR_DEPTH}) { mkdir "${FAR_SEGMENT}"; chdir "${FAR_SEGMENT}" or die } exec "sh", "-c", $ARGV[0]`
  const script = `echo bottom > file; ln -s file link; ln file hard; mkfifo pipe; setfattr -n user.far -v 1 file
    touch -d 2001-02-03 file .`
  run('perl', '-e', walk, script)
}

interface Result {
  folder: string
  warnings: Warning[]
  seconds: number
}

async function roundTrip(more: { include?: string[] } = {}): Promise<Result> {
  const engine = await BackupEngine.open({
    target: memoryTarget(),
    key: KEY,
    sources: [filesystem({ name: 'data', path: at() })],
  })
  const warnings: Warning[] = []
  engine.on('backup:warning', ({ warning }) => warnings.push(warning))
  engine.on('restore:warning', ({ warning }) => warnings.push(warning))
  const began = performance.now()
  await engine.backup()
  const plan = await engine.planRestore({
    snapshot: 'latest',
    to: { folder: space.at('to') },
    ...(more.include && { select: { include: more.include } }),
  })
  await engine.restore(plan)
  await engine.close()
  return { folder: space.at('to', 'data'), warnings, seconds: (performance.now() - began) / 1000 }
}

/** Of both trees, which must be equal. */
function same(script: string, folder: string): void {
  const expected = shell(script)
  expect(expected.length).toBeGreaterThan(20)
  expect(shell(script, folder)).toBe(expected)
}

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
if (isRoot) beforeAll(requirePrograms)

describe.runIf(isRoot)('a tree with every kind of entry', () => {
  it('comes back as it was', async () => {
    plant()
    const { folder, warnings, seconds } = await roundTrip()
    expect(warnings).toEqual([])
    const options = ['-n', '-aHAX', '--checksum', '--itemize-changes', '--delete', '--exclude', 'sparse-10g']
    expect(execFileSync('rsync', [...options, `${at()}/`, `${folder}/`], { encoding: 'latin1' })).toBe('')
    // Whole seconds: Node sets times to the nearest of its own steps, never in another second.
    same(`find . -print0 | sort -z | xargs -0 stat -c '%n %F %a %u %g %h %s %t:%T %Y'`, folder)
    same(`find . -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex --`, folder)
    same(`find . -type f -print0 | sort -z | xargs -0 du -k --apparent-size`, folder)
    const blocks = (name: string, of = folder): number => lstatSync(`${of}/${name}`).blocks
    for (const name of ['sparse-10g', 'sparse-near', 'dense-zeros']) {
      expect(Math.abs(blocks(name) - blocks(name, at())), name).toBeLessThanOrEqual(16)
    }
    expect(shell(`cmp sparse-10g '${folder}/sparse-10g' --bytes=1000000 --ignore-initial=7340000000`)).toBe('')
    expect(seconds).toBeLessThan(20)
  }, 60_000)

  it('deeper than a path may be long comes back as well', async () => {
    mkdirSync(at())
    plantFar()
    const { folder, warnings } = await roundTrip()
    expect(warnings).toEqual([])
    const digest = (of: string): string =>
      execFileSync('sh', ['-c', 'tar --sort=name --format=gnu -cf - . | sha256sum'], {
        cwd: of,
        encoding: 'utf8',
      })
    expect(digest(folder)).toBe(digest(at()))
    expect(shell('find . -name file -execdir getfattr --only-values -n user.far {} +', folder)).toBe('1')
    expect(shell('find . -name file -printf "%d\\n"', folder).trim()).toBe(String(FAR_DEPTH + 1))
    for (const tree of [folder, at()]) execFileSync('rm', ['-rf', tree])
  }, 60_000)

  it('but sockets, which are recorded and said', async () => {
    mkdirSync(at())
    const server = createServer().listen(at('moved'))
    await once(server, 'listening')
    // The server takes the socket away again, where it left it.
    renameSync(at('moved'), at('socket'))
    server.close()
    put('file')
    const { folder, warnings } = await roundTrip()
    expect(warnings).toMatchObject([{ code: 'ENTRY_SKIPPED', path: 'socket' }])
    expect(readdirSync(folder)).toEqual(['file'])
  })

  it('has all of a file of which one name is chosen', async () => {
    mkdirSync(at())
    plantLinks()
    const { folder } = await roundTrip({ include: ['data/links/two'] })
    expect(readFileSync(`${folder}/links/two`).equals(readFileSync(at('links', 'two')))).toBe(true)
    expect(lstatSync(`${folder}/links/two`).nlink).toBe(1)
  })
})
