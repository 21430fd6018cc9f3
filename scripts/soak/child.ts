/** One life of one actor. Gets its settings by message, and ends with the process that has started it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BackupError } from '../../src/index.ts'
import { Journal } from './journal.ts'
import { seeded } from './noise.ts'
import { type Actor, ROLES } from './roles.ts'
import type { Settings } from './settings.ts'

const MAX_FAILURES = 5

let isStopped = false
process.once('disconnect', () => process.exit(1))
process.once('message', (settings) => {
  process.once('message', () => {
    isStopped = true
  })
  process.send!('ready')
  void live(settings as Settings)
})

async function live(settings: Settings): Promise<void> {
  const journal = new Journal(settings.folder, settings.name, settings.life)
  const actor: Actor = {
    settings,
    journal,
    random: seeded(settings.seed),
    stopped: () => isStopped,
    pause: (ms) => sleep(ms),
    pieceDone: () => void process.send!('done'),
  }
  for (let failures = 0; !isStopped; ) {
    try {
      await ROLES[settings.role](actor)
    } catch (error) {
      failures++
      const { code, retryable, message } = describe(error)
      journal.write({ what: 'failed', code, retryable, message })
      if (!retryable || failures >= MAX_FAILURES) process.exit(1)
      await sleep(100)
    }
  }
  process.exit(0)
}

function describe(error: unknown): { code: string; retryable: boolean; message: string } {
  const { stack = String(error) } = error as Error
  if (!BackupError.is(error)) return { code: 'unexpected', retryable: false, message: stack }
  const details = JSON.stringify(error.details ?? {})
  const cause = error.cause === undefined ? '' : ` (${String(error.cause)})`
  return { code: error.code, retryable: error.retryable, message: `${stack} ${details}${cause}` }
}
