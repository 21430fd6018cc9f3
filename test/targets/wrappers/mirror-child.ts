/**
 * A process with two folders as one mirrored target. `race <first> <second> <rounds>`: creates objects that others create
 * as well, and writes which it got. `backup <first> <second> <source> <quorum>`: backs a folder up until it is killed.
 */
import { BackupEngine, filesystem, localTarget, mirrored, rawKey } from '../../../src/index.ts'

const [what, first, second, ...rest] = process.argv.slice(2) as [string, string, string, ...string[]]
const targets = [localTarget(first, { fsync: false }), localTarget(second, { fsync: false })]

if (what === 'race') {
  const target = mirrored(targets)
  const won: number[] = []
  for (let round = 0; round < Number(rest[0]); round++) {
    const body = new Uint8Array(Buffer.from(String(process.pid)))
    if (await target.put(`snapshots/${round}`, body, { ifAbsent: true })) won.push(round)
  }
  await target.close()
  process.stdout.write(JSON.stringify({ pid: process.pid, won }))
} else {
  const engine = await BackupEngine.open({
    target: mirrored(targets, { writeQuorum: Number(rest[1]) }),
    key: rawKey(new Uint8Array(32).fill(7)),
    workers: 'inline',
    sources: [filesystem({ name: 'data', path: rest[0]! })],
  })
  process.stdout.write('open\n')
  for (;;) {
    const { snapshot } = await engine.backup({ parent: 'none' })
    process.stdout.write(`${snapshot.id}\n`)
  }
}
