/** Begins a restore and waits in the middle of it, to be killed. Argument: connection string of the live database. */
import { postgresSink } from '../../../../src/sources/postgres/sink/postgres-sink.ts'

const url = process.argv[2] as string
const facts = { format: 1, databases: [{ name: 'half', prefix: '', encoding: 'UTF8', collate: 'C', ctype: 'C' }] }
const signal = new AbortController().signal
const session = await postgresSink({ connectionString: url }).open({
  signal,
  runId: `killed-${process.pid}`,
  facts,
  warn() {},
})
const table = {
  path: 'public/t',
  type: 'table',
  size: 0,
  facts: { schema: 'public', name: 't', kind: 'r', columns: [{ name: 'id' }], ranges: 1 },
}
const range = { path: 'public/t/000001.copy', type: 'rows', size: 4, facts: { rows: 2 } }
await session.pull!({
  async *entries() {
    yield [table, range]
  },
  async *content(path) {
    if (path.endsWith('pre-data.sql')) {
      yield Buffer.from(
        '--\n-- Name: t; Type: TABLE; Schema: public; Owner: postgres\n--\nCREATE TABLE public.t (id int);\n',
      )
    }
    if (!path.endsWith('.copy')) return
    yield Buffer.from('1\n')
    process.stdout.write('half\n')
    await new Promise((resolve) => setTimeout(resolve, 60_000))
  },
  done() {},
})
