/** What a thread keeps from one piece of work to the next and must not outlive it: processes that it has started. */

const endings = new Set<() => Promise<void>>()

/** `end` is called when this thread ends, or an engine on it: maybe several times. It must not reject. */
export function atThreadEnd(end: () => Promise<void>): void {
  endings.add(end)
}

/**
 * Resolves when all that was kept has ended. Nobody would hear of the end of a process after that of the thread that started
 * it: it would stay a zombie for as long as this process lives.
 */
export async function endThreadHelpers(): Promise<void> {
  await Promise.all([...endings].map((end) => end()))
}
