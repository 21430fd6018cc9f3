import { type TargetConformanceOptions, targetConformance } from './target-conformance.ts'

/**
 * Runs `targetConformance` without a test runner, and gives its capability card: a table of promises and results in Markdown,
 * without dates or versions. A failure is a row of the card, not an error.
 *
 * ```ts
 * console.log(await capabilityCard({ create: () => myTarget() }))
 * ```
 */
export async function capabilityCard(options: TargetConformanceOptions): Promise<string> {
  const tests: (() => Promise<void> | void)[] = []
  let card = ''
  const onCard = (markdown: string): void => {
    card = markdown
    options.onCard?.(markdown)
  }
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (_: string, body: () => Promise<void> | void) => tests.push(body),
  }
  targetConformance(runner, { ...options, onCard })
  for (const test of tests)
    await Promise.resolve()
      .then(test)
      .catch(() => undefined)
  return card
}
