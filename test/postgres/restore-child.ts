/** Restores the newest snapshot of a repository, to be killed meanwhile. Arguments: repository, connection string. */
import { BackupEngine, localTarget, rawKey } from '../../src/index.ts'
import { postgresSink } from '../../src/sources/postgres/index.ts'

const [repository, url] = process.argv.slice(2) as [string, string]
const key = rawKey(new Uint8Array(32).fill(7))
const engine = await BackupEngine.open({ target: localTarget(repository), key, sources: [] })
const checks = [{ name: 'wait', sql: 'SELECT pg_sleep(60)', expect: '' }]
const sink = postgresSink({ connectionString: url, checks })
const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { main: sink } } })
await engine.restore(plan, { confirm: plan.digest })
