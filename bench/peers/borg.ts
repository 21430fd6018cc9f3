/** borg with encryption and zstd 3. */
import { type Command, outputOf } from '../measure.ts'
import { PASSPHRASE, type Peer, type Place } from './peer.ts'

function borg(place: Place, args: readonly string[], cwd?: string): Command {
  return {
    file: 'borg',
    args,
    env: {
      BORG_REPO: place.repository,
      BORG_PASSPHRASE: PASSPHRASE,
      BORG_BASE_DIR: place.scratch,
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    },
    ...(cwd === undefined ? {} : { cwd }),
  }
}

/** borg cannot name the newest archive when it extracts, so the shell asks for it; that is a second start of borg. */
const EXTRACT_NEWEST = 'borg extract "::$(borg list --last 1 --format "{archive}" ::)"'

export const borgPeer: Peer = {
  name: 'borg',
  version: () => outputOf('borg', '--version'),
  init: (place) => borg(place, ['init', '--encryption', 'repokey-blake2']),
  backup: (place, data) => borg(place, ['create', '--compression', 'zstd,3', '::{now:%Y%m%d%H%M%S.%f}', '.'], data),
  restore: (place, target) => ({ ...borg(place, ['-c', EXTRACT_NEWEST], target), file: 'bash' }),
  verify: (place) => borg(place, ['check', '--verify-data']),
}
