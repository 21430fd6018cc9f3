/** Called for each record of a tree to be built, in path order. The bytes are views, valid during the call. */
export type RecordVisitor = (
  path: string,
  record: Uint8Array,
  fingerprints: Uint8Array,
  fingerprintAt: number,
  contentBytes: number,
) => void
