/** Two tables under random work of several sessions, and snapshots of them read as an engine reads them. */
import pg from 'pg'
import { sha256Hex } from '../../../../src/crypto/hash.ts'
import type { Json } from '../../../../src/errors.ts'
import { postgres } from '../../../../src/sources/postgres/postgres.ts'
import type { SourceEntry } from '../../../../src/sources/source.ts'

export type Facts = Readonly<Record<string, Json>>

export interface Shot {
  readonly facts: Facts
  /** By path of the range. */
  readonly ranges: ReadonlyMap<string, { fingerprint: string | undefined; sha256: string }>
}

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('calm', 'cross');
  CREATE TABLE k (id int PRIMARY KEY, v int, m mood DEFAULT 'calm', pad text);
  CREATE TABLE h (id uuid PRIMARY KEY, v int, pad text);
  INSERT INTO k SELECT g, g, 'calm', repeat('x', 20) FROM generate_series(1, 300) g;
  INSERT INTO h SELECT gen_random_uuid(), g, repeat('y', 100) FROM generate_series(1, 300) g;`

/** A small generator with a seed, so that a failure can be run again. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

export class World {
  readonly #url: string
  readonly #pick: (below: number) => number
  readonly #clients: pg.Client[] = []
  /** Sessions that are in a transaction. */
  readonly #open = new Set<pg.Client>()
  #prepared: string[] = []
  #next = 1000

  constructor(url: string, pick: (below: number) => number) {
    this.#url = url
    this.#pick = pick
  }

  async begin(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const client = new pg.Client({ connectionString: this.#url })
      client.on('error', () => {})
      await client.connect()
      await client.query("SET lock_timeout = '40ms'")
      this.#clients.push(client)
    }
    await this.#clients[0]!.query(SCHEMA)
  }

  async end(): Promise<void> {
    for (const client of this.#open) await client.query('ROLLBACK').catch(() => {})
    const { rows } = await this.#clients[0]!.query<{ gid: string }>(
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
    )
    for (const { gid } of rows) await this.#clients[0]!.query(`ROLLBACK PREPARED '${gid}'`)
    await Promise.all(this.#clients.map((client) => client.end()))
  }

  /** A few random steps of random sessions; what is refused (locks, duplicates) is refused. */
  async work(): Promise<void> {
    for (let steps = this.#pick(5); steps >= 0; steps--) {
      const client = this.#clients[this.#pick(this.#clients.length)]!
      await client.query(this.#open.has(client) ? this.#inside(client) : this.#outside(client)).catch(async () => {
        if (this.#open.has(client)) await client.query('ROLLBACK').catch(() => {})
        this.#open.delete(client)
      })
    }
  }

  #outside(client: pg.Client): string {
    const chance = this.#pick(20)
    if (chance < 6) {
      this.#open.add(client)
      return `BEGIN; ${this.#change()}`
    }
    if (chance === 6) return 'VACUUM k, h'
    if (chance === 7) return 'VACUUM (FREEZE) k, h'
    if (chance === 8) return `VACUUM FULL ${this.#table()}`
    if (chance === 9) return `CLUSTER k USING k_pkey`
    if (chance === 10 && this.#pick(4) === 0)
      return 'CREATE TEMP TABLE t AS TABLE k; TRUNCATE k; INSERT INTO k SELECT * FROM t; DROP TABLE t'
    if (chance === 11 && this.#pick(3) === 0)
      return `ALTER TYPE mood RENAME VALUE 'cross' TO 'm${this.#next++}'; ALTER TYPE mood ADD VALUE 'cross'`
    if (chance === 12 && this.#pick(4) === 0)
      return `ALTER TABLE ${this.#table()} ADD COLUMN c${this.#next++} int DEFAULT 7`
    if (chance === 13 && this.#prepared.length > 0)
      return `${this.#pick(2) ? 'COMMIT' : 'ROLLBACK'} PREPARED '${this.#prepared.shift()}'`
    if (chance === 14) return `BEGIN; SAVEPOINT a; ${this.#change()}; ROLLBACK TO a; ${this.#change()}; COMMIT`
    return this.#change()
  }

  #inside(client: pg.Client): string {
    const chance = this.#pick(6)
    if (chance < 3) return this.#change()
    this.#open.delete(client)
    if (chance === 3) return 'ROLLBACK'
    if (chance === 4 && this.#prepared.length < 3) {
      const name = `p${this.#next++}`
      this.#prepared.push(name)
      return `PREPARE TRANSACTION '${name}'`
    }
    return 'COMMIT'
  }

  #table(): string {
    return this.#pick(2) ? 'k' : 'h'
  }

  /** Often one that keeps the number of rows. */
  #change(): string {
    const id = this.#pick(320)
    const row = `(SELECT ctid FROM h ORDER BY v, id OFFSET ${id % 250} LIMIT 1)`
    const value = this.#next++
    const changes = [
      `UPDATE k SET v = ${value} WHERE id = ${id}`,
      `UPDATE h SET v = ${value} WHERE ctid = ${row}`,
      `INSERT INTO k VALUES (${value}, 1)`,
      `INSERT INTO k SELECT ${id}, ${value} ON CONFLICT DO NOTHING`,
      `INSERT INTO h VALUES (gen_random_uuid(), ${value}, repeat('z', ${this.#pick(300)}))`,
      `DELETE FROM k WHERE id = ${id}`,
      `DELETE FROM h WHERE ctid = ${row}`,
      `DELETE FROM k WHERE id = ${id}; INSERT INTO k VALUES (${id}, ${value})`,
      `DELETE FROM h WHERE ctid = ${row}; INSERT INTO h VALUES (gen_random_uuid(), ${value}, 'in a hole')`,
      `UPDATE k SET id = id + 100000 WHERE id = ${id}`,
      `SELECT FROM k WHERE id = ${id} FOR UPDATE`,
    ]
    return changes[this.#pick(changes.length)]!
  }

  /** A backup; what it would leave out is read too, to see whether it is what it was. */
  async shoot(parent: Facts | undefined, fullEvery = 1000): Promise<Shot> {
    const signal = new AbortController().signal
    const source = postgres({
      name: 'db',
      connectionString: this.#url,
      dataOnly: true,
      incremental: 'xmin',
      fullEvery,
      jobs: 2,
    })
    const session = await source.open({ signal, warn: () => {}, ...(parent && { parent: { facts: parent } }) })
    try {
      const ranges = new Map<string, { fingerprint: string | undefined; sha256: string }>()
      for await (const batch of session.entries()) {
        for (const entry of batch.filter(({ type }) => type === 'rows')) {
          ranges.set(entry.path, { fingerprint: entry.fingerprint, sha256: await readRange(entry, signal) })
        }
      }
      return { facts: await session.describe(), ranges }
    } finally {
      await session[Symbol.asyncDispose]()
    }
  }
}

async function readRange({ content, fingerprint }: SourceEntry, signal: AbortSignal): Promise<string> {
  if (content?.from !== 'stream') throw new Error('rows are streams')
  const pieces: Uint8Array[] = []
  for await (const piece of await content.open({ signal })) pieces.push(new Uint8Array(piece))
  const bytes = Buffer.concat(pieces)
  const sha256 = sha256Hex(bytes)
  if (fingerprint !== undefined) {
    await content.finish?.({ bytes: bytes.length, sha256, lineFeeds: bytes.toString('latin1').split('\n').length - 1 })
  }
  return sha256
}

/** The first snapshot's facts, with tables cut into three ranges, which else only large ones are. */
export function cutInto(facts: Facts): Facts {
  const [database] = facts.databases as { state: Record<string, [number, number]> }[]
  const state = { ...database!.state }
  const [k, h] = [state['public/k']!, state['public/h']!]
  const cuts = {
    'public/k': [...k.slice(0, 2), ['key', 'id int4', '0', ['100', '200']]],
    'public/h': [...h.slice(0, 2), ['heap', '', '0', [2, 4]]],
  }
  return { ...facts, databases: [{ ...database, state: { ...state, ...cuts } }] } as unknown as Facts
}
