/** Sees each byte of an upload go. */
import { Readable } from 'node:stream'

/** What the SDK lets a command change of the signed request. Structural, since its types are many. */
interface Stack {
  add(middleware: unknown, options: object): void
}
interface Request {
  body?: unknown
  headers: Record<string, string>
}
type Next = (args: { request: Request }) => Promise<unknown>

const STEP_BYTES = 64 * 1024

/** Adds a header before the request is signed. */
export function withHeader(command: object, name: string, value: string): void {
  const { middlewareStack } = command as { middlewareStack: Stack }
  const middleware = (next: Next) => (args: { request: Request }) => {
    args.request.headers[name] = value
    return next(args)
  }
  middlewareStack.add(middleware, { step: 'build', name: `holdfast-${name}` })
}

/**
 * Sends the body of a command in steps, as fast as the connection takes them, and tells how much of it has gone. The
 * signature and the length were made from the whole.
 */
export function withProgress(command: object, body: Uint8Array, onSent: (bytes: number) => void): void {
  const { middlewareStack } = command as { middlewareStack: Stack }
  const middleware = (next: Next) => (args: { request: Request }) => {
    const { request } = args
    const stepped = Object.assign(Object.create(Object.getPrototypeOf(request) as object), request) as Request
    stepped.body = Readable.from(steps(body, onSent), { objectMode: false, highWaterMark: STEP_BYTES })
    return next({ ...args, request: stepped })
  }
  middlewareStack.add(middleware, { step: 'deserialize', name: 'holdfast-progress' })
}

/** A step has gone when the next one is asked for. */
function* steps(body: Uint8Array, onSent: (bytes: number) => void): Generator<Uint8Array> {
  for (let start = 0; start < body.byteLength; start += STEP_BYTES) {
    const end = Math.min(start + STEP_BYTES, body.byteLength)
    yield body.subarray(start, end)
    onSent(end)
  }
}
