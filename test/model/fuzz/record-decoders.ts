/** Decoders of records, of the two objects that are text, and of what people write. */
import { decodeRecoveryKey, encodeRecoveryKey } from '../../../src/crypto/recovery-key.ts'
import { decodeSecretBundle, encodeSecretBundle } from '../../../src/crypto/secret-bundle.ts'
import { parsePlanForgetOptions } from '../../../src/engine/options/prune.ts'
import { configToSign, parseConfig } from '../../../src/model/config.ts'
import { gcCandidatesRecord, gcDoneRecord } from '../../../src/model/gc.ts'
import type { JsonRecord } from '../../../src/model/json-record.ts'
import { withSeal } from '../../../src/model/json-record-lines.ts'
import { keySlotHeaderBytes, keySlotToSign, parseKeySlot } from '../../../src/model/key-slot.ts'
import { noteRecord } from '../../../src/model/note.ts'
import { reportRecord } from '../../../src/model/report.ts'
import { runRecord } from '../../../src/model/run.ts'
import { snapshotRecord } from '../../../src/model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../../src/model/tombstone.ts'
import { decodeTrash, encodeTrash } from '../../../src/model/trash.ts'
import { parseKey } from '../../../src/repository/keys-layout.ts'
import { NOW, snapshotOf } from '../../repository/fixtures.ts'
import type { Decoder } from './run.ts'

const HEX = 'ab'.repeat(32)
const SALT = Buffer.alloc(32, 5).toString('base64')
const secret = new Uint8Array(32).fill(3)
const snapshot = snapshotOf('20260102t030405678-aaaaaaaaaa', { name: 'näme', tags: ['x'] })

function config(): Uint8Array {
  const signed = configToSign({
    repositoryId: 'ab'.repeat(16),
    createdAt: NOW,
    encrypted: true,
    epoch: 1,
    idAlgorithm: 'hmac-sha256',
    idBytes: 32,
    chunking: { files: { algorithm: 'gear', minBytes: 1024, avgBytes: 4096, maxBytes: 8192 } },
    requiredFeatures: { read: [], write: [], prune: [] },
    pruneProtocol: 1,
    previousHash: null,
    slots: { ['cd'.repeat(16)]: { publicKey: SALT, hash: HEX } },
  })
  return withSeal(signed, HEX)
}

function keySlot(kdf: { name: 'scrypt'; N: number; r: number; p: number; salt: string }): Uint8Array {
  const header = { kind: 'passphrase' as const, repositoryId: 'ab'.repeat(16), label: 'a', createdAt: NOW, kdf }
  return withSeal(keySlotToSign(keySlotHeaderBytes(header), new Uint8Array(120)), HEX)
}

const note = {
  snapshot: 'run-1',
  at: NOW,
  addTags: ['a'],
  removeTags: [],
  holds: [{ reason: 'audit', expires: NOW }],
  lastVerified: { at: NOW, level: 'data', sound: true },
}
const report = {
  runId: 'run-1',
  verb: 'backup',
  status: 'failed',
  startedAt: NOW,
  endedAt: NOW,
  durationMs: 1,
  host: 'here',
  counts: { entries: 1 },
  options: { tags: ['a'], nested: [1, null] },
  warnings: [{ code: 'ENTRY_SKIPPED', message: 'no', path: 'files/a', details: { errno: 13 } }],
  error: { code: 'TARGET_FULL', origin: 'target', message: 'full', retryable: false },
}

function record(name: string, of: JsonRecord<never>, value: unknown): Decoder {
  return { name, json: true, samples: [of.encode(value as never)], decode: (bytes) => of.decode(bytes, 'key') }
}

function textual(name: string, samples: readonly string[], decode: (text: string) => unknown): Decoder {
  const encoder = new TextEncoder()
  return {
    name,
    samples: samples.map((text) => encoder.encode(text)),
    decode: (bytes) => decode(Buffer.from(bytes).toString('utf8')),
  }
}

const KEYS = [
  'config/00000001',
  `packs/ab/${HEX}`,
  'gc/00000002.done',
  'notes/_4e_7f/00000001',
  'snapshots/a-b',
  'state/verify/ledger/00000003',
]

export const RECORD_DECODERS: readonly Decoder[] = [
  { name: 'config', samples: [config()], decode: (bytes) => parseConfig(bytes, 'config/00000001') },
  {
    name: 'key slot',
    samples: [keySlot({ name: 'scrypt', N: 2 ** 17, r: 8, p: 1, salt: SALT })],
    decode: (bytes) => parseKeySlot(bytes, 'keys/a'),
  },
  {
    name: 'secrets of a slot',
    samples: [encodeSecretBundle({ root: secret, epochs: [{ n: 1, secret }] })],
    decode: decodeSecretBundle,
  },
  record('snapshot', snapshotRecord as never, snapshot),
  {
    name: 'snapshot or tombstone',
    json: true,
    samples: [
      snapshotRecord.encode(snapshot),
      tombstoneRecord.encode({ id: 'run-1', at: NOW, reason: 'fenced', by: 'prune-1' }),
    ],
    decode: (bytes) => decodeSnapshotObject(bytes, 'snapshots/a'),
  },
  record('note', noteRecord as never, note),
  record('run', runRecord as never, { id: 'a', verb: 'backup', startedAt: NOW, host: 'here', pid: 7, beat: 3 }),
  record('gc', gcCandidatesRecord as never, { n: 2, run: 'a', at: NOW, packs: [HEX] }),
  record('gc done', gcDoneRecord as never, { n: 2, run: 'a', at: NOW, outcome: 'done', dead: [HEX] }),
  record('report', reportRecord as never, report),
  {
    name: 'trash',
    json: true,
    samples: [encodeTrash({ id: snapshot.id, at: NOW, snapshot })],
    decode: (bytes) => decodeTrash(bytes, 'trash/a'),
  },
  textual('key of an object', KEYS, parseKey),
  textual('recovery key', [encodeRecoveryKey(secret)], decodeRecoveryKey),
  textual('duration of a retention', ['30d', '1y', '12mo'], (text) =>
    parsePlanForgetOptions({ retention: { keepWithin: text as never } }),
  ),
  textual('time zone of a retention', ['UTC', 'Europe/Berlin'], (timeZone) =>
    parsePlanForgetOptions({ retention: { keepLast: 1, timeZone } }),
  ),
]
