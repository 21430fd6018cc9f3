import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, ZipGround } from './zip-support.ts'

let ground: ZipGround
let count = 0

beforeAll(async () => {
  ground = await ZipGround.make()
})
afterAll(() => ground.close())

/** `z` is the ZipFile; `raw` may change the bytes afterwards. */
async function made(lines: string, raw = ''): Promise<string> {
  const path = ground.at(`made-${++count}.zip`)
  const script = `import zipfile, stat, struct, warnings
warnings.simplefilter('ignore')
def link(name, target):
    i = zipfile.ZipInfo(name); i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16
    z.writestr(i, target)
def named(name, data=b'x'):
    i = zipfile.ZipInfo('placeholder'); i.filename = name; i.orig_filename = name
    z.writestr(i, data)
path = ${JSON.stringify(path)}
with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
${lines.replace(/^/gm, '    ')}
b = bytearray(open(path, 'rb').read())
${raw}
open(path, 'wb').write(b)
`
  await writeFile(ground.at('make.py'), script)
  await run('python3', [ground.at('make.py')])
  return path
}

const refused: [string, string, string, string, string?][] = [
  ['a path that climbs out', 'ZIP_UNSAFE_PATH', 'name', "named('../evil')"],
  ['a path that climbs in the middle', 'ZIP_UNSAFE_PATH', 'name', "named('a/../../evil')"],
  ['an absolute path', 'ZIP_UNSAFE_PATH', 'name', "named('/etc/evil')"],
  ['a drive letter', 'ZIP_UNSAFE_PATH', 'name', "named('C:/evil')"],
  ['a backslash', 'ZIP_UNSAFE_PATH', 'name', "named('a\\\\evil')"],
  ['a NUL', 'ZIP_UNSAFE_PATH', 'name', "named('aXb')", "b = b.replace(b'aXb', b'a\\0b')"],
  ['a symlink that is absolute', 'ZIP_UNSAFE_PATH', 'symlink', "link('l', '/etc')"],
  ['a symlink that climbs out', 'ZIP_UNSAFE_PATH', 'symlink', "link('a/l', '../../x')"],
  ['a symlink that climbs behind a name', 'ZIP_UNSAFE_PATH', 'symlink', "link('a/l', 'b/..')"],
  ['an entry below a symlink', 'ZIP_UNSAFE_PATH', 'below', "link('l', 'd')\nnamed('l/x')"],
  ['an entry below a file', 'ZIP_UNSAFE_PATH', 'below', "named('f')\nnamed('f/x')"],
  ['two of one name', 'ZIP_CORRUPT', 'duplicate', "named('f')\nnamed('f')"],
  ['a file and a folder of one name', 'ZIP_CORRUPT', 'duplicate', "named('f')\nnamed('f/', b'')"],
  [
    'a wrong CRC',
    'ZIP_CORRUPT',
    'crc',
    "z.writestr('f', b'content', zipfile.ZIP_STORED)",
    "b[b.find(b'content')] ^= 1",
  ],
  ['damaged data', 'ZIP_CORRUPT', 'data', "z.writestr('f', b'abc' * 999)", 'b[31:40] = bytes(9 * [255])'],
  [
    'a size too small',
    'ZIP_CORRUPT',
    'size',
    "z.writestr('f', b'abc' * 999)",
    "d = b.find(b'PK\\1\\2'); b[d+24:d+28] = struct.pack('<I', 9)",
  ],
  [
    'a size too large',
    'ZIP_CORRUPT',
    'size',
    "z.writestr('f', b'abc' * 999)",
    "d = b.find(b'PK\\1\\2'); b[d+24:d+28] = struct.pack('<I', 9999)",
  ],
  ['another name before the data', 'ZIP_CORRUPT', 'header', "named('f')", 'b[30] = 103'],
  [
    'entries that overlap',
    'ZIP_CORRUPT',
    'overlap',
    "named('f')\nnamed('g')",
    "d = b.rfind(b'PK\\1\\2'); b[d+42:d+46] = bytes(4)",
  ],
  [
    'one that is encrypted',
    'ZIP_ENCRYPTED',
    'entry',
    "z.writestr('f', b'abc' * 999)",
    "d = b.find(b'PK\\1\\2'); b[d+8] |= 1",
  ],
  ['one that is cut short', 'ZIP_CORRUPT', 'structure', "named('f')", 'b = b[:-9]'],
  ['no ZIP at all', 'ZIP_CORRUPT', 'structure', "named('f')", "b = b'nothing'"],
  [
    'a bomb',
    'ZIP_BOMB',
    'ratio',
    "z.writestr('f', b'abc' * 999)",
    "d = b.find(b'PK\\1\\2'); b[d+24:d+28] = struct.pack('<I', 0x7fffffff)",
  ],
]

describe('importZip refuses', { timeout: 60_000 }, () => {
  for (const [what, code, reason, lines, raw] of refused) {
    it(`${what}: ${code}`, async () => {
      const path = await made(lines, raw)
      const error = await ground.other.importZip({ from: { path } }).catch((e: unknown) => e)
      expect(error).toMatchObject({ code, details: { reason } })
      expect(await ground.other.snapshots({ kinds: ['import'] }).toArray()).toEqual([])
    })
  }

  it('more entries or bytes than it may', async () => {
    const path = await made("named('f')\nnamed('g')")
    const refusal = { code: 'ZIP_BOMB' }
    await expect(ground.other.importZip({ from: { path }, maxEntries: 1 })).rejects.toMatchObject(refusal)
    await expect(ground.other.importZip({ from: { path }, maxBytes: 1 })).rejects.toMatchObject(refusal)
  })
})

describe('importZip of an export that was changed', { timeout: 60_000 }, () => {
  it('is refused where an entry of the metadata is gone', async () => {
    await ground.fill()
    await ground.engine.backup()
    const path = ground.at('own.zip')
    await ground.engine.exportZip({ snapshot: 'latest', to: { path } })
    await run('zip', ['-qd', path, 'files/docs/a/text.txt'])
    const error = await ground.other.importZip({ from: { path } }).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'ZIP_CORRUPT', details: { reason: 'missing' } })
  })
})
