/** Holdfast as a program: one process for one verb, with the built package and default options. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from '../measure.ts'
import { PASSPHRASE, type Peer, type Place } from './peer.ts'

const CLI = fileURLToPath(new URL('../holdfast-cli.ts', import.meta.url))
const PACKAGE = new URL('../../package.json', import.meta.url)

function holdfast(place: Place, ...args: string[]): Command {
  return {
    file: process.execPath,
    args: [CLI, ...args],
    env: { BENCH_REPOSITORY: place.repository, BENCH_PASSPHRASE: PASSPHRASE },
  }
}

export const holdfastPeer: Peer = {
  name: 'holdfast',
  version: async () => `holdfast ${(JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version}`,
  init: (place) => holdfast(place, 'init'),
  backup: (place, data) => holdfast(place, 'backup', data),
  restore: (place, target) => holdfast(place, 'restore', target),
  verify: (place) => holdfast(place, 'verify'),
  backupOpen: (place, data) => holdfast(place, 'backup-open', data),
}
