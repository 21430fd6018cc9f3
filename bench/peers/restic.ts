/** restic with its defaults: compression "auto", its own cache folder (fresh, as on a new machine). */
import { join } from 'node:path'
import { type Command, outputOf } from '../measure.ts'
import { PASSPHRASE, type Peer, type Place } from './peer.ts'

export function restic(place: Place, args: readonly string[], cwd?: string): Command {
  return {
    file: 'restic',
    args: ['--quiet', ...args],
    env: {
      RESTIC_REPOSITORY: place.repository,
      RESTIC_PASSWORD: PASSPHRASE,
      RESTIC_CACHE_DIR: join(place.scratch, 'cache'),
    },
    ...(cwd === undefined ? {} : { cwd }),
  }
}

export const resticPeer: Peer = {
  name: 'restic',
  version: async () => (await outputOf('restic', 'version'))?.split(' compiled')[0],
  init: (place) => restic(place, ['init']),
  backup: (place, data) => restic(place, ['backup', '.'], data),
  restore: (place, target) => restic(place, ['restore', 'latest', '--target', target]),
  verify: (place) => restic(place, ['check', '--read-data']),
}
