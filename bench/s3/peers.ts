/** The programs with a bucket for their repository, at their defaults. */
import type { TestS3 } from '../../test/servers/s3.ts'
import type { Command } from '../measure.ts'
import { holdfastPeer } from '../peers/holdfast.ts'
import type { Peer, Place } from '../peers/peer.ts'
import { resticPeer } from '../peers/restic.ts'

export interface S3Place extends Place {
  readonly server: TestS3
  /** The gateway itself, or a line to it. */
  readonly endpoint: string
  readonly bucket: string
}

export interface S3Peer {
  readonly name: 'holdfast' | 'restic'
  readonly peer: Peer
  command(place: S3Place, make: (peer: Peer) => Command): Command
}

const holdfast: S3Peer = {
  name: 'holdfast',
  peer: holdfastPeer,
  command({ server, endpoint, bucket, scratch }, make) {
    const { region, accessKeyId, secretAccessKey } = server
    const options = { provider: 'ceph', endpoint, bucket, region, credentials: { accessKeyId, secretAccessKey } }
    const command = make(holdfastPeer)
    // Where the local cache goes: fresh, as restic's.
    const env = { BENCH_S3: JSON.stringify(options), TMPDIR: scratch }
    return { ...command, env: { ...command.env, ...env } }
  },
}

const restic: S3Peer = {
  name: 'restic',
  peer: resticPeer,
  command({ server, endpoint, bucket }, make) {
    const command = make(resticPeer)
    const env = {
      RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}`,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    }
    return { ...command, env: { ...command.env, ...env } }
  },
}

export const S3_PEERS: readonly S3Peer[] = [holdfast, restic]
