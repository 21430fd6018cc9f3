import type { BackupError } from '../../errors.ts'
import {
  type CreateService,
  type Handlers,
  OPEN,
  type Session,
  type Thread,
  type ToMain,
  type ToWorker,
  type Transferable,
} from './rpc.ts'
import { SessionTable } from './rpc-main.ts'
import { ServiceTable } from './rpc-worker.ts'

/**
 * The same services on the main thread, for where no worker can be started, and for tests. Messages are cloned and
 * buffers transferred as between threads, so what works here works there. Only `init` is handed over as it is, so
 * that a service may get what cannot leave the main thread (a custom transform without a module).
 */
export class InlineThread implements Thread {
  readonly id = 0
  readonly inline = true
  readonly #sessions: SessionTable
  readonly #services: ServiceTable

  constructor(create: CreateService = createLate) {
    this.#sessions = new SessionTable({ post: (message, transfer) => this.#toService(message, transfer) })
    this.#services = new ServiceTable(create, (message, transfer) => this.#toMain(message, transfer))
  }

  open(service: string, init: unknown, handlers: Handlers, transfer?: Transferable[]): Promise<Session> {
    return this.#sessions.open(service, init, handlers, transfer)
  }

  /** Ends all sessions with this error. What a service is doing goes on until it looks at its abort flag. */
  end(error: BackupError): void {
    this.#sessions.fail(error)
    void this.#services.end()
  }

  /** Each message waits for its turn of the event loop, so that the host's own work gets in between. */
  #toService(message: ToWorker, transfer?: Transferable[]): void {
    const copy = message[0] === OPEN ? message : clone(message, transfer)
    setImmediate(() => this.#services.receive(copy))
  }

  #toMain(message: ToMain, transfer?: Transferable[]): void {
    const copy = clone(message, transfer)
    queueMicrotask(() => this.#sessions.receive(copy))
  }
}

function clone<M extends ToMain | ToWorker>(message: M, transfer: Transferable[] | undefined): M {
  return structuredClone(message, transfer === undefined ? undefined : { transfer })
}

/** Loads the services late, so that a process whose workers start never has them on its main thread. */
const createLate: CreateService = async (name, init, host) => {
  const { createService } = await import('../services.ts')
  return createService(name, init, host)
}
