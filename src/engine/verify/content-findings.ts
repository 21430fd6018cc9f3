/** What level 'content' has found, one finding for an entry, whatever number of snapshots hold it. */
import type { BackupError, Json } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { ContentClaim, ContentProof } from '../../workers/ingest/content-proof.ts'

const MAX_FINDINGS = 1000

interface Draft {
  finding: Omit<Finding, 'affects'>
  snapshots: Set<string>
  bytes: number
}

export class ContentFindings {
  private readonly drafts = new Map<string, Draft>()
  private readonly ofSources: Finding[] = []
  /** Snapshots that an error is about. */
  readonly unsound = new Set<string>()
  private omitted = 0

  compare(snapshot: string, path: string, claim: ContentClaim, proof: ContentProof): void {
    const differs = differencesOf(claim, proof)
    if (differs.length === 0) return
    this.add(snapshot, `${path} ${claim.key} ${claim.sha256}`, claim.sizeBytes, {
      code: 'CONTENT_MISMATCH',
      severity: 'error',
      message: `The content of ${path} is not what was counted while it was backed up: ${differs.map(({ what }) => what).join(', ')}.`,
      fix: 'Do not restore this entry. Back up again, and have the memory of the machine that made the snapshot tested.',
      details: { path, ...Object.fromEntries(differs.map(({ what, ...sides }) => [what, sides])) },
    })
  }

  unreadable(
    snapshot: string,
    path: string,
    { key, sizeBytes }: ContentClaim,
    { code, message, details }: BackupError,
  ): void {
    const finding = { code, severity: 'error' as const, message, details: { ...details, path } }
    this.add(snapshot, `${path} ${key}`, sizeBytes, finding)
  }

  ofSource(snapshot: string, source: string, finding: Finding): void {
    if (finding.severity === 'error') this.unsound.add(snapshot)
    if (this.count >= MAX_FINDINGS) {
      this.omitted++
      return
    }
    const affects = finding.affects ?? { snapshots: [snapshot], entries: 0, bytes: 0 }
    const details: Readonly<Record<string, Json>> = { ...finding.details, source, snapshot }
    this.ofSources.push({ ...finding, ...(finding.severity !== 'info' && { affects }), details })
  }

  private add(snapshot: string, key: string, bytes: number, finding: Draft['finding']): void {
    this.unsound.add(snapshot)
    const known = this.drafts.get(key)
    if (known) known.snapshots.add(snapshot)
    else if (this.count >= MAX_FINDINGS) this.omitted++
    else this.drafts.set(key, { finding, snapshots: new Set([snapshot]), bytes })
  }

  private get count(): number {
    return this.drafts.size + this.ofSources.length
  }

  list(): Finding[] {
    const found = [...this.drafts.values()].map(({ finding, snapshots, bytes }) => ({
      ...finding,
      affects: { snapshots: [...snapshots].sort(), entries: snapshots.size, bytes: bytes * snapshots.size },
    }))
    const all = [...found, ...this.ofSources]
    if (this.omitted === 0) return all
    const message = `${this.omitted} more findings about contents are left out.`
    return [...all, { code: 'FINDINGS_OMITTED', severity: 'error', message, details: { count: this.omitted } }]
  }
}

function differencesOf(claim: ContentClaim, proof: ContentProof): { what: string; expected: Json; found: Json }[] {
  const pairs = [
    { what: 'bytes', expected: claim.bytes, found: proof.bytes },
    { what: 'rows', expected: claim.rows, found: proof.lineFeeds },
    { what: 'sha256', expected: claim.sha256, found: proof.sha256 },
  ]
  return pairs.flatMap(({ what, expected, found }) =>
    expected === undefined || expected === found ? [] : [{ what, expected, found }],
  )
}
