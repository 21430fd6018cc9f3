/** The order in which sources give their entries. */
import { BackupError } from '../../errors.ts'
import { comparePaths, latin1ToUser } from '../../util/paths.ts'

/** A join of two orders would lose entries without a word. `last` is '' before the first. */
export function assertOrder(source: string, last: string, path: string): void {
  if (last === '' || comparePaths(last, path) < 0) return
  throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave "${latin1ToUser(path)}" out of order.`, {
    origin: 'source',
    details: { source, path: latin1ToUser(path), before: latin1ToUser(last) },
    hint: 'Entries must come sorted by path, segment by segment, by unsigned bytes, each path once.',
  })
}
