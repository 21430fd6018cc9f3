/** Sessions of the scan service, one in each thread: they scan one source together. */
import { onAbort } from '../../util/abort.ts'
import type { Session, Thread } from '../../workers/threads/rpc.ts'
import type { ScanInit } from '../../workers/tree/scan.ts'

export class ScanSessions {
  list: Session[] = []
  private unlink: () => void = () => undefined

  async open(threads: readonly Thread[], init: ScanInit, signal: AbortSignal): Promise<void> {
    const opening = threads.map((thread) => thread.open('scan', init, {}))
    // All of them, so that after a failure none is opened behind the back of `close`.
    const opened = await Promise.allSettled(opening)
    this.list = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    this.unlink = onAbort(signal, (reason) => this.abort(reason))
    await Promise.all(opening)
  }

  abort(reason: unknown): void {
    for (const session of this.list) session.abort(reason)
  }

  async close(): Promise<void> {
    this.unlink()
    await Promise.all(this.list.map((session) => session.close()))
  }
}
