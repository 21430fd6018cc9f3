/**
 * A repository in a bucket, with a mirror of all of it on a disk: either can be lost.
 *
 *   BACKUP_PASSPHRASE=… node examples/s3-and-mirror.ts FOLDER BUCKET MIRROR
 *
 * Keys and region come from where the AWS SDK looks for them. For another store than AWS: S3_ENDPOINT and S3_PROVIDER.
 */
import { BackupEngine, filesystem, localTarget, mirrored, passphrase, probe } from 'holdfast'
import { type S3Provider, s3Target } from 'holdfast/s3'

const [path = '.', bucket = 'backups', mirror = 'mirror'] = process.argv.slice(2)
const { S3_ENDPOINT: endpoint, S3_PROVIDER } = process.env

const provider = S3_PROVIDER as S3Provider | undefined
const primary = s3Target({ bucket, prefix: 'app', endpoint, ...(provider && { provider }) })
const report = await probe(primary)
if (!report.ok) throw new Error(report.toText())

// A backup counts when it is in the bucket. The disk follows, and what it has missed while it was away `heal` brings.
const target = mirrored([primary, localTarget(mirror)], { writeQuorum: 1 })
await using engine = await BackupEngine.open({
  target,
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  sources: [filesystem({ name: 'data', path })],
})
const { snapshot } = await engine.backup()
const healed = await target.heal()
console.log(snapshot.id, JSON.stringify(healed))

// On the day on which the bucket is gone, the mirror alone is a repository.
await using alone = await BackupEngine.open({
  target: localTarget(mirror),
  key: passphrase(process.env.BACKUP_PASSPHRASE),
  create: 'never',
})
const { sound } = await alone.verify({ level: 'data' })
console.log((await alone.snapshot('latest')).id, sound ? 'is sound in the mirror' : 'is damaged in the mirror')
