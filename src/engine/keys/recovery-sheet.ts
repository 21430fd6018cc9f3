/** A text for the day on which every other key is lost. */
import { randomBytes } from '../../crypto/random.ts'
import { recoveryText, type Secret } from '../../repository/key-slots-key.ts'
import type { Target } from '../../targets/target.ts'

export interface SheetFacts {
  repositoryId: string
  target: Target
  slot: string
  now: Date
  /** The key, in groups. */
  text: string
}

const GROUPS_PER_LINE = 7
const LINE = '='.repeat(64)

export function freshRecoveryKey(): { secret: Secret; text: string } {
  const bytes = randomBytes(32)
  return { secret: { kind: 'raw', bytes }, text: recoveryText(bytes) }
}

export function recoveryLabel(now: Date): string {
  return `recovery sheet of ${dateOf(now)}`
}

export function recoverySheet({ repositoryId, target, slot, now, text }: SheetFacts): string {
  return `${LINE}
RECOVERY SHEET for a Holdfast backup repository
${LINE}

Whoever has this sheet and can reach the repository can read every
backup in it. Keep it on paper, locked away, apart from the computers
that are backed up. Nobody can make a second copy of this key.

Made on       ${dateOf(now)}
Repository    ${repositoryId}
Stored at     ${placeOf(target)}
              (Passwords of that place are not on this sheet.)
Key slot      ${slot}

Recovery key (0 and O are the same, and so are 1, I and L):

${keyLines(text)}

The last sign of each group checks the group, the last group checks
the whole: a mistyped group is named.

TO RESTORE with the application that made the backups: give the
recovery key where it asks for the repository's key.

TO RESTORE without it: install Node.js 22.15 or later, and in an empty
folder run   npm install holdfast
Save this as restore.mjs, with the target as it is described in the
documents (localTarget for a folder, s3Target for a bucket):

  import { BackupEngine, folder, localTarget, rawKey } from 'holdfast'
  const engine = await BackupEngine.open({
    target: localTarget('/path/to/the/repository'),
    key: rawKey('the recovery key as it stands above'),
    create: 'never',
  })
  const plan = await engine.planRestore({
    snapshot: 'latest',
    to: folder('/path/to/a/new/folder'),
  })
  await engine.restore(plan, { confirm: plan.digest })
  await engine.close()

and run   node restore.mjs
How the repository is stored, byte by byte, is written down in
docs/format.md of that package, so that it can be read without it.

WHEN YOU DO NOT TRUST THIS SHEET ANY MORE: remove its key in the
application (key slot above), and rotate the keys.
${LINE}
`
}

/** Two lines of groups, each with its number above, so that one that is named can be found. */
function keyLines(text: string): string {
  const groups = text.split(' ')
  const lines: string[] = []
  for (let at = 0; at < groups.length; at += GROUPS_PER_LINE) {
    const row = groups.slice(at, at + GROUPS_PER_LINE)
    lines.push(`    ${row.map((_, i) => String(at + i + 1).padEnd(5)).join('   ')}`.trimEnd(), `    ${row.join('   ')}`)
  }
  return lines.join('\n')
}

function placeOf({ name, localPath }: Target): string {
  return localPath ?? withoutSecrets(name)
}

/** A caller's own target may have put a password into its name. */
function withoutSecrets(name: string): string {
  return name.replace(/:\/\/[^/@\s]*@/g, '://').replace(/\?.*$/s, '')
}

function dateOf(now: Date): string {
  return now.toISOString().slice(0, 10)
}
