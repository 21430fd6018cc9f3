/** What a bucket does by itself to the objects in it: rules that expire or archive, versions, locks. */
import type {
  GetBucketLifecycleConfigurationCommandOutput,
  GetBucketVersioningCommandOutput,
  GetObjectLockConfigurationCommandOutput,
  LifecycleRule,
} from '@aws-sdk/client-s3'
import type { Finding } from '../../events.ts'
import { nameOf, statusOf } from '../../s3/errors.ts'
import type { Place } from './s3-target.ts'

type Sdk = typeof import('@aws-sdk/client-s3')
interface Command {
  readonly input: unknown
}

/** `prefix`: of the part that counts, after the target's own. Asks three questions, and changes nothing. */
export async function examineBucket(place: Place, prefix: string, signal: AbortSignal): Promise<Finding[]> {
  const { connection, settings } = place
  const Bucket = connection.bucket
  const whole = settings.prefix + prefix
  const ask = <T>(right: string, make: (sdk: Sdk) => Command): Promise<Answer<T>> => answer(place, right, make, signal)
  const [rules, versioning, lock] = await Promise.all([
    ask<GetBucketLifecycleConfigurationCommandOutput>(
      's3:GetLifecycleConfiguration',
      (sdk) => new sdk.GetBucketLifecycleConfigurationCommand({ Bucket }),
    ),
    ask<GetBucketVersioningCommandOutput>(
      's3:GetBucketVersioning',
      (sdk) => new sdk.GetBucketVersioningCommand({ Bucket }),
    ),
    ask<GetObjectLockConfigurationCommandOutput>(
      's3:GetBucketObjectLockConfiguration',
      (sdk) => new sdk.GetObjectLockConfigurationCommand({ Bucket }),
    ),
  ])
  const active = (rules.said?.Rules ?? []).filter((rule) => isAbout(rule, whole, place))
  const isKept = active.some(({ NoncurrentVersionExpiration }) => NoncurrentVersionExpiration !== undefined)
  return [
    ...unknownRules([rules, versioning, lock], Bucket),
    ...active.flatMap((rule) => ruleFindings(rule, Bucket)),
    ...versionFindings(versioning.said, isKept, Bucket),
    ...lockFindings(lock, place),
  ]
}

interface Answer<T> {
  readonly said?: T
  /** The right that is missing to be told. */
  readonly denied?: string
}

/** Nothing said: the bucket has no such thing, or the store knows none. */
async function answer<T>(
  { connection }: Place,
  right: string,
  make: (sdk: Sdk) => Command,
  signal: AbortSignal,
): Promise<Answer<T>> {
  try {
    return { said: await connection.send<T>(make, signal) }
  } catch (error) {
    const status = statusOf(error) ?? 0
    if (status === 404 && nameOf(error) !== 'NoSuchBucket') return {}
    if (status === 400 || status === 405 || status === 501) return {}
    if (status === 403 && /^(AccessDenied|Forbidden)$/.test(nameOf(error) ?? '')) return { denied: right }
    throw connection.errorOf(error, { operation: 'doctor', signal })
  }
}

function unknownRules(answers: readonly Answer<unknown>[], bucket: string): Finding[] {
  const rights = answers.flatMap(({ denied }) => denied ?? [])
  if (rights.length === 0) return []
  return [
    {
      code: 'S3_RULES_UNKNOWN',
      severity: 'info',
      message: `These credentials may not see what the bucket ${bucket} does by itself to objects.`,
      fix: `Look at its lifecycle rules by hand: none may expire or archive a repository. Or grant ${rights.join(', ')} and ask again.`,
      details: { bucket, rights },
    },
  ]
}

/** Archives, from which nothing can be read at once. */
const ARCHIVES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])
/** The largest pack is a little above 17 MiB: rules for larger objects never meet one. */
const LARGEST_BYTES = 64 * 1024 * 1024

/** Whether it holds for objects of the repository, all or some. */
function isAbout({ Status, Filter, Prefix }: LifecycleRule, prefix: string, { options }: Place): boolean {
  if (Status !== 'Enabled') return false
  const { And } = Filter ?? {}
  const begins = And?.Prefix ?? Filter?.Prefix ?? Prefix ?? ''
  if (!prefix.startsWith(begins) && !begins.startsWith(prefix)) return false
  if ((And?.ObjectSizeGreaterThan ?? Filter?.ObjectSizeGreaterThan ?? 0) >= LARGEST_BYTES) return false
  const tags = [...(And?.Tags ?? []), ...(Filter?.Tag ? [Filter.Tag] : [])]
  return tags.every(({ Key = '', Value }) => options.tags?.[Key] === Value)
}

function ruleFindings(rule: LifecycleRule, bucket: string): Finding[] {
  const { ID = '', Expiration, Transitions = [] } = rule
  const name = ID === '' ? 'A lifecycle rule' : `The lifecycle rule ${JSON.stringify(ID)}`
  const fix = 'Take the repository out of the rule, by a filter on another prefix, or disable it.'
  const findings: Finding[] = []
  if (Expiration?.Days !== undefined || Expiration?.Date !== undefined) {
    const when =
      Expiration.Days === undefined ? `at ${Expiration.Date!.toISOString()}` : `after ${Expiration.Days} days`
    const message = `${name} of the bucket ${bucket} deletes objects of the repository ${when}: what snapshots need is lost then.`
    findings.push({ code: 'S3_EXPIRY_RULE', severity: 'error', message, fix, details: { bucket, rule: ID, when } })
  }
  const archive = Transitions.find(({ StorageClass = '' }) => ARCHIVES.has(StorageClass))?.StorageClass
  if (archive !== undefined) {
    const message = `${name} of the bucket ${bucket} moves objects of the repository to ${archive}, from where they cannot be read at once.`
    findings.push({ code: 'S3_ARCHIVE_RULE', severity: 'error', message, fix, details: { bucket, rule: ID, archive } })
  }
  return findings
}

function versionFindings(
  said: GetBucketVersioningCommandOutput | undefined,
  isKept: boolean,
  bucket: string,
): Finding[] {
  if (said?.Status !== 'Enabled' || isKept) return []
  return [
    {
      code: 'S3_VERSIONS_KEPT',
      severity: 'warning',
      message: `The bucket ${bucket} keeps versions, and no rule removes old ones: a prune frees no space.`,
      fix: 'Add a lifecycle rule with NoncurrentVersionExpiration, or suspend versioning.',
      details: { bucket },
    },
  ]
}

function lockFindings({ said, denied }: Answer<GetObjectLockConfigurationCommandOutput>, place: Place): Finding[] {
  const { connection, options } = place
  const { bucket } = connection
  const { ObjectLockEnabled, Rule } = said?.ObjectLockConfiguration ?? {}
  if (ObjectLockEnabled !== 'Enabled') {
    if (options.objectLockDays === undefined || denied !== undefined) return []
    const message = `objectLockDays is set, and the bucket ${bucket} has no Object Lock: every upload of a pack is refused.`
    const fix = 'Make a bucket with Object Lock (it can rarely be added later), or leave objectLockDays out.'
    return [{ code: 'S3_LOCK_MISSING', severity: 'error', message, fix, details: { bucket } }]
  }
  const { Days, Years, Mode } = Rule?.DefaultRetention ?? {}
  const days = Math.max(options.objectLockDays ?? 0, Days ?? (Years ?? 0) * 365)
  if (days === 0) return []
  return [
    {
      code: 'S3_OBJECT_LOCK',
      severity: 'info',
      message: `Object Lock keeps what is deleted from the bucket ${bucket} for ${days} days: space comes back that much later.`,
      fix: 'Nothing, if that is meant. Retention is not extended: what is older than that is not protected any more.',
      details: { bucket, days, ...(Mode !== undefined && { mode: Mode }) },
    },
  ]
}
