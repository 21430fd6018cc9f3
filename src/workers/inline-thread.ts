import type { BackupError } from '../errors.ts'
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
  readonly #create: CreateService | undefined
  readonly #sessions: SessionTable
  #services: ServiceTable | undefined

  constructor(create?: CreateService) {
    this.#create = create
    this.#sessions = new SessionTable(
      (message, transfer) => this.#toService(message, transfer),
      (error) => this.end(error),
    )
  }

  async open(service: string, init: unknown, handlers: Handlers, transfer?: Transferable[]): Promise<Session> {
    this.#services ??= new ServiceTable(this.#create ?? (await loadServices()), (message, moved) => {
      const copy = clone(message, moved)
      queueMicrotask(() => this.#sessions.receive(copy))
    })
    return this.#sessions.open(service, init, handlers, transfer)
  }

  /** Ends all sessions with this error. Code of a service that is under way cannot be stopped from outside here. */
  end(error: BackupError): void {
    this.#sessions.fail(error)
  }

  /** Each message waits for its turn of the event loop, so that the host's own work gets in between. */
  #toService(message: ToWorker, transfer?: Transferable[]): void {
    const copy = message[0] === OPEN ? message : clone(message, transfer)
    setImmediate(() => this.#services!.receive(copy))
  }
}

function clone<M extends ToMain | ToWorker>(message: M, transfer: Transferable[] | undefined): M {
  return structuredClone(message, transfer === undefined ? undefined : { transfer })
}

/** Late, so that a process whose workers start never loads the services on its main thread. */
async function loadServices(): Promise<CreateService> {
  return (await import('./services.ts')).createService
}
