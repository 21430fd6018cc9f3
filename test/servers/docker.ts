/** Whether a Docker daemon answers: asked in a second, so that machines without one lose no time. */
import { existsSync } from 'node:fs'
import { get, type RequestOptions } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'

function address(): RequestOptions | undefined {
  const host = process.env.DOCKER_HOST
  if (host?.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  if (host?.startsWith('tcp://')) {
    const url = new URL(host)
    return { host: url.hostname, port: url.port || 2375 }
  }
  const sockets = ['/var/run/docker.sock', join(homedir(), '.docker/run/docker.sock')]
  const socketPath = sockets.find((path) => existsSync(path))
  return socketPath === undefined ? undefined : { socketPath }
}

export async function dockerAnswers(): Promise<boolean> {
  const where = address()
  if (!where) return false
  return new Promise((resolve) => {
    const request = get({ ...where, path: '/_ping', timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}
