/** A gigabyte of generated text in a process of its own: what it takes is bounded, whatever the length of the streams. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const CHILD = new URL('stream-child.ts', import.meta.url).pathname
const BYTES = 2 ** 30

it.each([
  [1, 150_000_000],
  [4, 200_000_000],
])(
  'a gigabyte of text, %i streams at once, takes less than %i bytes more',
  async (concurrency, limit) => {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, String(BYTES), String(concurrency)])
    const { sourceBytes, rssBytes } = JSON.parse(stdout) as Record<string, number>
    expect(sourceBytes).toBe(BYTES)
    expect(rssBytes).toBeLessThan(limit!)
  },
  60_000,
)
