/** Batches of a worker's scan, some of them asked for ahead. */
import type { Session } from '../../workers/rpc.ts'
import type { ScanAnswer } from '../../workers/scan.ts'

/** Entries in a batch: small enough to spread work evenly, large enough that messages cost nothing. */
const BATCH_ENTRIES = 256
const SCANS_AHEAD = 3

/** `scan`: a session of the service of that name. */
export async function* scanAhead(scan: Session): AsyncGenerator<ScanAnswer> {
  const asked: Promise<ScanAnswer>[] = []
  const ask = (): void => {
    const answer = scan.call<ScanAnswer>('next', BATCH_ENTRIES)
    answer.catch(() => undefined)
    asked.push(answer)
  }
  for (let i = 0; i < SCANS_AHEAD; i++) ask()
  for (;;) {
    const answer = await asked.shift()!
    yield answer
    if (answer.done) return
    ask()
  }
}
