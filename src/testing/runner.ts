/** What the suites need of a test runner: vitest, node:test and mocha all have it. */
export interface Runner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void> | void): void
}
