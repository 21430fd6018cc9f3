import type { Runner } from '../../src/testing/runner.ts'

export interface Failure {
  readonly test: string
  readonly message: string
}

/** Runs a suite and gives the tests that fail, each with the reason. */
export async function failuresOf(define: (runner: Runner) => void): Promise<Failure[]> {
  const tests: [string, () => Promise<void> | void][] = []
  define({ describe: (_, body) => body(), it: (name, body) => tests.push([name, body]) })
  const failures: Failure[] = []
  for (const [test, body] of tests) {
    try {
      await body()
    } catch (error) {
      failures.push({ test, message: String(error instanceof Error ? error.message : error) })
    }
  }
  return failures
}

/** Only the names. */
export async function failingTests(define: (runner: Runner) => void): Promise<string[]> {
  return (await failuresOf(define)).map(({ test }) => test)
}
