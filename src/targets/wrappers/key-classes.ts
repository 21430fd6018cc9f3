/**
 * What wrappers must know of keys. Each pattern allows something before the name of the class, since a wrapper may stand
 * inside one that adds a prefix.
 */

/**
 * Keys whose create may be repeated although an earlier attempt may have happened and its object be gone again. All
 * others may rightly have been deleted meanwhile, by somebody who has seen the object: a snapshot that was fenced and
 * forgotten, a `gc/<n>` that a quick prune has ended, a key slot that was revoked. To create such a thing again would bring
 * back the dead (for the first two the model checker of the protocol found that it loses data). These here are never
 * deleted, or do no harm when they come back: a run that was fenced meets its own tombstone, of notes and states the
 * highest number counts, and packs and fragments are facts under names that nobody else uses.
 */
const MAY_CREATE_AGAIN = /(^|\/)(config|reports|runs|notes|state|index|packs)\//

export function mayCreateAgain(key: string): boolean {
  return MAY_CREATE_AGAIN.test(key)
}

/** Named by the hash of their bytes, and those never change: whoever has the object has the right one. */
const PACK = /(?:^|\/)packs\/[0-9a-f]{2}\/([0-9a-f]{64})$/

export function isPack(key: string): boolean {
  return PACK.test(key)
}

/** SHA-256 of a pack's bytes in hex, as its name says; undefined for other keys. */
export function packHash(key: string): string | undefined {
  return PACK.exec(key)?.[1]
}

/** `runs/<id>`: a writer that is under way. */
export function isRun(key: string): boolean {
  return /(^|\/)runs\/[^/]+$/.test(key)
}

/** `snapshots/<id>`: what a commit creates. */
export function isSnapshot(key: string): boolean {
  return /(^|\/)snapshots\/[^/]+$/.test(key)
}

/** A prune's announcements and ends. */
export function isGc(key: string): boolean {
  return /(^|\/)gc\/[^/]+$/.test(key)
}

/** `trash/<id>`: what is kept of a snapshot that was forgotten. */
export function isTrash(key: string): boolean {
  return /(^|\/)trash\/[^/]+$/.test(key)
}

/** What says which repository this is: never changed, so two of one key are two repositories. */
export function isIdentity(key: string): boolean {
  return /(^|\/)config\/[^/]+$/.test(key)
}
