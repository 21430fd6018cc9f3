/** Two repositories with different keys, and a folder, rows and facts that change between three snapshots. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupEngine, filesystem, rawKey, type Source, type Target } from '../../../src/index.ts'
import { memorySource } from '../../../src/testing/memory-source.ts'
import { lines } from '../backup/pull-support.ts'

export const KEY_A = new Uint8Array(32).fill(7)
export const KEY_B = new Uint8Array(32).fill(8)

export async function engineOn(
  target: Target,
  key: Uint8Array,
  sources: readonly Source[] = [],
): Promise<BackupEngine> {
  return BackupEngine.open({ target, key: rawKey(key), workers: 'inline', sources, host: `host-${key[0]}` })
}

export class ChangingTree {
  readonly root: string
  readonly rows = memorySource({ name: 'rows', concurrency: 2 })

  private constructor(root: string) {
    this.root = root
  }

  static async make(): Promise<ChangingTree> {
    return new ChangingTree(await mkdtemp(join(tmpdir(), 'holdfast-copy-')))
  }

  get sources(): Source[] {
    return [filesystem({ name: 'files', path: join(this.root, 'tree') }), this.rows]
  }

  at(...path: string[]): string {
    return join(this.root, ...path)
  }

  async first(): Promise<void> {
    await mkdir(this.at('tree/a/deep'), { recursive: true })
    await mkdir(this.at('tree/empty'))
    for (let i = 0; i < 20; i++) await writeFile(this.at(`tree/a/${i}.txt`), `file ${i}\n`.repeat(i * 50))
    await writeFile(this.at('tree/a/big'), lines(5_000_000, 3))
    await link(this.at('tree/a/big'), this.at('tree/a/deep/other-name'))
    await symlink('../nowhere', this.at('tree/a/link'))
    await writeFile(Buffer.concat([Buffer.from(this.at('tree/not-utf8-')), Buffer.from([0xff, 0xfe])]), 'odd')
    const sparse = await open(this.at('tree/sparse'), 'w')
    await sparse.write(Buffer.from('begin'), 0, 5, 0)
    await sparse.write(Buffer.from('end'), 0, 3, 20_000_000)
    await sparse.close()
    this.setRows(1, 400_000)
    this.setRows(2, 3_000_000)
  }

  setRows(range: number, bytes: number, seed = range): void {
    const content = lines(bytes, seed)
    const open = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < content.length; at += 70_000) yield new Uint8Array(content.subarray(at, at + 70_000))
    }
    this.rows.set(`public/orders/${range}.copy`, { open, chunks: 'table' })
  }

  async second(): Promise<void> {
    await writeFile(this.at('tree/a/3.txt'), 'changed')
    await rm(this.at('tree/a/4.txt'))
    await chmod(this.at('tree/a/5.txt'), 0o600)
    this.setRows(3, 100_000)
  }

  async third(): Promise<void> {
    await appendFile(this.at('tree/a/deep/other-name'), 'more')
    await writeFile(this.at('tree/new'), 'new')
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true })
  }
}

/** Everything that a restore wrote: names as bytes, types, modes, times, link counts, contents. */
export async function picture(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const walk = async (path: Buffer): Promise<void> => {
    for (const name of await readdir(path, { encoding: 'buffer' })) {
      const whole = Buffer.concat([path, Buffer.from('/'), name])
      const stat = await lstat(whole, { bigint: true })
      const key = whole.subarray(folder.length).toString('latin1')
      // Rows have no time of their own: that of the restore.
      const facts = [stat.mode, key.endsWith('.copy') ? '' : stat.mtimeNs, stat.nlink].map(String)
      if (stat.isSymbolicLink()) facts.push(await readlink(whole))
      if (stat.isFile())
        facts.push(
          createHash('sha256')
            .update(await readFile(whole))
            .digest('hex'),
        )
      found.set(key, (stat.isDirectory() ? [String(stat.mode)] : facts).join(' '))
      if (stat.isDirectory()) await walk(whole)
    }
  }
  await walk(Buffer.from(folder))
  return found
}

export async function restoreInto(
  engine: BackupEngine,
  snapshot: string,
  folder: string,
): Promise<Map<string, string>> {
  await engine.restore(await engine.planRestore({ snapshot, to: { folder } }))
  return picture(folder)
}

/** KiB that a file takes. */
export function blocksOf(path: string): number {
  return Number(execFileSync('du', ['-k', path], { encoding: 'utf8' }).split('\t')[0])
}
