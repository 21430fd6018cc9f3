/** A target that keeps objects on a small HTTP server (object-server.ts): all that a target must be, on nothing but fetch. */
import {
  abortError,
  BackupError,
  type CallSignal,
  checkKey,
  checkPrefix,
  checkRange,
  defineTarget,
  type ErrorCode,
  type ObjectInfo,
  type Target,
  throwIfAborted,
} from 'holdfast'

const DELETES_AT_ONCE = 8

/** `url`: of the server, such as 'http://127.0.0.1:8080/'. */
export function httpTarget(url: string): Target {
  return defineTarget({
    name: 'http',
    traits: { createOnly: true, maxConcurrency: 16, remote: true },

    async put(key, body, { ifAbsent = false, signal } = {}) {
      const headers: Record<string, string> = ifAbsent ? { 'if-none-match': '*' } : {}
      const { status } = await request(objectUrl(url, key), { method: 'PUT', headers, body }, [201, 412], signal)
      return status === 201
    },

    async get(key, { range, signal } = {}) {
      checkRange(range)
      // HTTP has no range of nothing, yet the object must be there and be long enough.
      if (range && range.start === range.end) return await nothingOf(this, key, range.end, signal)
      const headers: Record<string, string> = range ? { range: `bytes=${range.start}-${range.end - 1}` } : {}
      const { body } = await request(objectUrl(url, key), { headers }, [200, 206], signal)
      if (range && body.byteLength !== range.end - range.start) throw tooShort(key, body.byteLength)
      return body
    },

    async stat(key, { signal } = {}) {
      const { status, headers } = await request(objectUrl(url, key), { method: 'HEAD' }, [200, 404], signal)
      return status === 404 ? undefined : { key, size: Number(headers.get('content-length')) }
    },

    async *list(prefix, { signal } = {}) {
      checkPrefix(prefix)
      for (let after: string | undefined = ''; after !== undefined; ) {
        const query = new URLSearchParams({ prefix, after })
        const { body } = await request(new URL(`?${query}`, url), {}, [200], signal)
        const page = JSON.parse(Buffer.from(body).toString()) as { objects: ObjectInfo[]; more: boolean }
        yield* page.objects
        after = page.more ? page.objects.at(-1)?.key : undefined
      }
    },

    async delete(keys, { signal } = {}) {
      const urls = keys.map((key) => objectUrl(url, key))
      throwIfAborted(signal)
      const rest = urls.values()
      const lane = async (): Promise<void> => {
        for (const each of rest) await request(each, { method: 'DELETE' }, [204, 404], signal)
      }
      // Not Promise.all, which would reject while other lanes go on deleting.
      const lanes = await Promise.allSettled(Array.from({ length: DELETES_AT_ONCE }, lane))
      for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
    },

    // The connections belong to fetch, and do not keep the process alive.
    async close() {},
  })
}

function objectUrl(url: string, key: string): URL {
  checkKey(key)
  return new URL(key.split('/').map(encodeURIComponent).join('/'), url)
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer>
}

/** One request, no second try: an answer with one of the expected statuses, or an error of the contract. */
async function request(
  url: URL,
  init: RequestInit,
  expected: readonly number[],
  signal?: AbortSignal,
): Promise<Answer> {
  throwIfAborted(signal)
  // fetch leaves a listener on the signal that it is given until that is collected: so it gets one of its own.
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const answer = await fetch(url, { redirect: 'error', ...init, signal: controller.signal })
    const body = new Uint8Array(await answer.arrayBuffer())
    if (expected.includes(answer.status)) return { status: answer.status, headers: answer.headers, body }
    throw statusError(url, answer)
  } catch (cause) {
    if (signal?.aborted) throw abortError(signal.reason)
    if (BackupError.is(cause)) throw cause
    throw error('TARGET_UNREACHABLE', `${url.host} cannot be reached`, { cause, retryable: true })
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** What an answer means: which code it is, and whether the same request may succeed later. */
function statusError(url: URL, { status, headers }: Response): BackupError {
  const details = { status, path: url.pathname }
  const text = `${url.pathname}: the server answered ${status}`
  if (status === 404) return error('TARGET_OBJECT_NOT_FOUND', text, { details })
  if (status === 401) return error('TARGET_AUTH', text, { details })
  if (status === 403) return error('TARGET_DENIED', text, { details })
  if (status === 507) return error('TARGET_FULL', text, { details })
  if (status === 429 || status === 503) {
    const retryAfterMs = retryAfterOf(headers.get('retry-after'))
    return error('TARGET_THROTTLED', text, { details: { ...details, retryAfterMs }, retryable: true })
  }
  if (status === 408 || status >= 500) return error('TARGET_UNREACHABLE', text, { details, retryable: true })
  return error('TARGET_PROTOCOL', text, { details })
}

/** Seconds, or a date. */
function retryAfterOf(text: string | null): number {
  const ms = Number(text) * 1000
  return Math.max(0, Number.isNaN(ms) ? Date.parse(text ?? '') - Date.now() || 0 : ms)
}

type Facts = Omit<ConstructorParameters<typeof BackupError>[2], 'origin'>

function error(code: ErrorCode, message: string, facts: Facts): BackupError {
  return new BackupError(code, message, { origin: 'target', ...facts })
}

function tooShort(key: string, bytes: number): BackupError {
  return error('TARGET_PROTOCOL', `${key} is shorter than was asked for`, { details: { key, bytes } })
}

async function nothingOf(target: Pick<Target, 'stat'>, key: string, end: number, signal: CallSignal['signal']) {
  const info = await target.stat(key, { signal })
  if (info === undefined) throw error('TARGET_OBJECT_NOT_FOUND', `there is no ${key}`, { details: { key } })
  if (info.size < end) throw tooShort(key, info.size)
  return new Uint8Array(0)
}
