import type { Runner } from '../../src/testing/runner.ts'

/** Runs a suite and gives the names of its tests that fail. */
export async function failingTests(define: (runner: Runner) => void): Promise<string[]> {
  const tests: [string, () => Promise<void> | void][] = []
  define({ describe: (_, body) => body(), it: (name, body) => tests.push([name, body]) })
  const failing: string[] = []
  for (const [name, body] of tests) {
    try {
      await body()
    } catch {
      failing.push(name)
    }
  }
  return failing
}
