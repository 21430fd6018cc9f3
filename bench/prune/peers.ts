/** What is compared: the same repository history pruned by Holdfast and by restic, each as one process. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../measure.ts'
import { holdfastPeer } from '../peers/holdfast.ts'
import { PASSPHRASE, type Peer, type Place } from '../peers/peer.ts'
import { restic, resticPeer } from '../peers/restic.ts'

export interface PrunePeer extends Peer {
  /** Forgets all snapshots but the newest, and frees what only they needed. */
  forgetAndPrune(place: Place): Command
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

export const PRUNE_PEERS: readonly PrunePeer[] = [
  {
    ...holdfastPeer,
    forgetAndPrune: ({ repository }) => ({
      file: process.execPath,
      args: [CHILD],
      env: { BENCH_REPOSITORY: repository, BENCH_PASSPHRASE: PASSPHRASE },
    }),
  },
  { ...resticPeer, forgetAndPrune: (place) => restic(place, ['forget', '--keep-last', '1', '--prune']) },
]
