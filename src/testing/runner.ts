/** What the suites need of a test runner: vitest, node:test, mocha and jest all have it. */
export interface Runner {
  describe(name: string, body: () => void): void
  /** The context is whatever the runner hands to a test; its `skip(reason)` is called where there is one. */
  it(name: string, body: (context?: unknown) => Promise<void> | void): void
}

/** Where the runner's context has `skip`, the report says so; vitest's throws. Else the test counts as passed. */
export function skipTest(context: unknown, reason: string): void {
  // That of vitest is a function with properties.
  const has = (typeof context === 'object' && context !== null) || typeof context === 'function'
  if (has && 'skip' in context && typeof context.skip === 'function') context.skip(reason)
}
