/** The plain pipeline, encrypted to do equal work: every backup is a full one in a file of its own. */
import { type Command, outputOf } from '../measure.ts'
import { PASSPHRASE, type Peer, type Place } from './peer.ts'

function pipeline(place: Place, script: string, cwd?: string): Command {
  return {
    file: 'bash',
    args: ['-c', `set -eo pipefail; ${script}`],
    env: { BENCH_REPOSITORY: place.repository, BENCH_PASSPHRASE: PASSPHRASE },
    ...(cwd === undefined ? {} : { cwd }),
  }
}

const CIPHER = 'openssl enc -aes-256-ctr -pbkdf2 -pass env:BENCH_PASSPHRASE'
const NEWEST = '"$(ls -t "$BENCH_REPOSITORY"/*.tar.zst.enc | head -n 1)"'

export const tarZstdPeer: Peer = {
  name: 'tar+zstd',
  version: async () => {
    const tools = await Promise.all([outputOf('tar', '--version'), outputOf('openssl', 'version')])
    const zstd = await outputOf('zstd', '--version')
    const found = /v([\d.]+)/.exec(zstd ?? '')?.[1]
    return tools.includes(undefined) || found === undefined ? undefined : `zstd ${found}`
  },
  init: (place) => pipeline(place, 'mkdir -p "$BENCH_REPOSITORY"'),
  backup: (place, data) =>
    pipeline(place, `tar c . | zstd -q -T0 -3 | ${CIPHER} > "$BENCH_REPOSITORY/$(date +%s%N).tar.zst.enc"`, data),
  restore: (place, target) => pipeline(place, `${CIPHER} -d < ${NEWEST} | zstd -q -d | tar x`, target),
  verify: (place) => pipeline(place, `${CIPHER} -d < ${NEWEST} | zstd -q -d | tar t > /dev/null`),
}
