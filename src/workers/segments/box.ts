/** Sealing and opening boxes: the one envelope of everything that is stored. */
export { createOpener, type Opener, type OpenOptions } from './box-opener.ts'
export { createSealer, type Sealer, type SealOptions } from './box-sealer.ts'
