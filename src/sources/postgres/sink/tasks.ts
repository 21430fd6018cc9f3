/** Work shared out among connections: nobody waits for a phase of others to end. */
import type { PgClient } from '../connection.ts'
import type { TableKey } from './bound.ts'

export interface Task {
  /** What it locks, so that no connection waits for another one's lock. Empty: nothing that matters. */
  readonly tables: readonly TableKey[]
  /** Works beside others of the same tables that do, too. */
  readonly shares: boolean
  /** Gives what can be done only now; that comes before all that waits. `isOver`: another task has failed. */
  run(client: PgClient, isOver: () => boolean): Promise<readonly Task[]>
}

/** In the order given, as far as locks allow. The first error ends it: nothing is begun any more, what runs is waited for. */
export async function runTasks(clients: readonly PgClient[], tasks: readonly Task[]): Promise<void> {
  const waiting = [...tasks]
  const running = new Set<Task>()
  const free = [...clients]
  const errors: unknown[] = []
  let wake = (): void => {}
  const start = (client: PgClient, task: Task): void => {
    running.add(task)
    task
      .run(client, () => errors.length > 0)
      .then((next) => waiting.unshift(...next))
      .catch((error: unknown) => errors.push(error))
      .finally(() => {
        running.delete(task)
        free.push(client)
        wake()
      })
  }
  while (running.size > 0 || (waiting.length > 0 && errors.length === 0)) {
    const at = errors.length > 0 ? -1 : waiting.findIndex((task) => ![...running].some((other) => collide(task, other)))
    const client = at < 0 ? undefined : free.pop()
    if (client !== undefined) start(client, waiting.splice(at, 1)[0] as Task)
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  if (errors.length > 0) throw errors[0]
}

function collide(a: Task, b: Task): boolean {
  return !(a.shares && b.shares) && a.tables.some((table) => b.tables.includes(table))
}
