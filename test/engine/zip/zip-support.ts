/** A folder with all that a file system can hold, a repository with a snapshot of it, and tools to look at ZIPs. */
import { execFile } from 'node:child_process'
import { chmod, link, lutimes, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  BackupEngine,
  filesystem,
  memoryTarget,
  rawKey,
  type Source,
  type Target,
  wrapTarget,
} from '../../../src/index.ts'

export const run = promisify(execFile)

export class ZipGround {
  readonly root: string
  engine!: BackupEngine
  /** Of another repository. */
  other!: BackupEngine
  /** Told of each read of a pack, before it. */
  onRead: () => void = () => {}

  private constructor(root: string) {
    this.root = root
  }

  static async make(sources?: (ground: ZipGround) => Source[]): Promise<ZipGround> {
    const ground = new ZipGround(await mkdtemp(join(tmpdir(), 'holdfast-zip-')))
    const engine = (key: number, list: Source[]) =>
      BackupEngine.open({
        target: ground.watched(memoryTarget()),
        key: rawKey(new Uint8Array(32).fill(key)),
        workers: 'inline',
        sources: list,
      })
    ground.engine = await engine(1, sources?.(ground) ?? [filesystem({ name: 'docs', path: ground.at('tree') })])
    ground.other = await engine(2, [])
    return ground
  }

  private watched(inner: Target): Target {
    return wrapTarget(inner, {
      get: async (key, options) => {
        if (key.startsWith('packs/')) this.onRead()
        return await inner.get(key, options)
      },
    } satisfies Partial<Target>)
  }

  at(...path: string[]): string {
    return join(this.root, ...path)
  }

  async fill(): Promise<void> {
    const { root } = this
    await mkdir(this.at('tree/a/empty'), { recursive: true })
    await writeFile(this.at('tree/a/text.txt'), 'hello, world\n'.repeat(1000), { mode: 0o640 })
    await writeFile(this.at('tree/a/nothing'), '')
    await writeFile(this.at('tree/a/ünïcode.txt'), 'ü')
    await writeFile(Buffer.concat([Buffer.from(`${root}/tree/a/raw-`), Buffer.from([0xff, 0xfe])]), 'bytes')
    await writeFile(this.at('tree/noise'), noise(3_000_000, 7))
    await writeFile(this.at('tree/long'), Buffer.concat([noise(9_000_000, 9), Buffer.alloc(500)]))
    await writeFile(this.at('tree/rows'), 'a row like any other\n'.repeat(450_000))
    await link(this.at('tree/a/text.txt'), this.at('tree/z-linked'))
    await symlink('a/text.txt', this.at('tree/near'))
    await symlink('/nowhere/at all', this.at('tree/far'))
    await utimes(this.at('tree/noise'), 1_234_567_890.123, 1_234_567_890.123)
    await lutimes(this.at('tree/near'), 1_000_000_000.5, 1_000_000_000.5)
    await chmod(this.at('tree/a/empty'), 0o2750)
  }

  async close(): Promise<void> {
    await this.engine.close()
    await this.other.close()
    await rm(this.root, { recursive: true, force: true })
  }
}

/** Does not compress, and is the same each time. */
export function noise(bytes: number, seed: number): Buffer {
  const out = Buffer.allocUnsafe(bytes)
  let state = seed
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = state >>> 24
  }
  return out
}

/** All that a file system says of what lies below, one line each. */
export async function inventory(folder: string): Promise<string> {
  const script =
    'find . -printf "%p %y %m %U %G %s %T@ %l %n\\n" | LC_ALL=C sort; find . -type f -print0 | sort -z | xargs -0 sha256sum'
  const { stdout } = await run('sh', ['-c', script], { cwd: folder, maxBuffer: 64 * 1024 * 1024, encoding: 'latin1' })
  return stdout.replace(/^(\S+ d \S+ \S+ \S+) \d+/gm, '$1 -')
}
