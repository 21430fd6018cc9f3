/** Targets that break one promise each, as real ones have been seen to. Each says all the tests that must fail, and why. */
import type { Broken } from './broken/broken.ts'
import { DELETING, LISTING } from './broken/listing.ts'
import { LIVING } from './broken/living.ts'
import { READING } from './broken/reading.ts'
import { STORING } from './broken/storing.ts'

export const BROKEN: Readonly<Record<string, Broken>> = { ...STORING, ...READING, ...LISTING, ...DELETING, ...LIVING }
