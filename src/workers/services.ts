/** The services that run in workers, by name. */
import { BackupError } from '../errors.ts'
import type { Host, Service } from './rpc.ts'

export async function createService(name: string, init: unknown, host: Host): Promise<Service> {
  if (name === 'test:echo') return createEcho(init, host)
  throw new BackupError('INTERNAL', `No worker service named ${name}.`, { origin: 'repository' })
}

/** Answers with its arguments: shows that a pool works at all, from source as from the built package. */
function createEcho(init: unknown, host: Host): Service {
  return {
    call(method, args) {
      host.throwIfAborted()
      return method === 'init' ? init : args
    },
  }
}
