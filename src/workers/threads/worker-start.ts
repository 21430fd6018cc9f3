import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { endThreadHelpers } from '../../util/thread-end.ts'
import { PROTOCOL_NAME, PROTOCOL_VERSION, WORKER_NICENESS } from './limits.ts'
import { type CreateService, END, type EndMessage, HELLO, type Post, type ToMain, type ToWorker } from './rpc.ts'
import { ServiceTable } from './rpc-worker.ts'

/** Makes this thread a worker of the pool: says hello, then serves until it is ended. Does nothing on a main thread. */
export function startWorker(create: CreateService): void {
  const port = parentPort
  if (port === null) return
  beNice()
  const post: Post<ToMain> = (message, transfer) => port.postMessage(message, transfer)
  const services = new ServiceTable(create, post)
  port.on('message', (message: ToWorker | EndMessage) => {
    if (message[0] === END) void end()
    else services.receive(message)
  })
  post([HELLO, PROTOCOL_NAME, PROTOCOL_VERSION])
}

/** Of this thread, no more than that. */
async function end(): Promise<void> {
  await endThreadHelpers()
  process.exit()
}

/** Elsewhere than on Linux this would slow down the whole process of the host, not just this thread. */
function beNice(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(WORKER_NICENESS)
  } catch {
    // Not permitted here: the work is done all the same.
  }
}
