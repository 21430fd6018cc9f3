export type { PostgresConnection } from './connect-options.ts'
export type { PoolLike } from './connection.ts'
export { type PostgresOptions, postgres } from './postgres.ts'
