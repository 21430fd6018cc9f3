/**
 * Shows how the public types differ from those that docs/api keeps, and keeps them with `--accept`:
 *
 *   npm run api            npm run api:accept
 */
import { ACCEPT, builtTypes, currentApi, KEPT, keepApi, readApi } from './api/api.ts'
import { changesOf } from './api/changes.ts'

const types = await builtTypes()
try {
  const api = await currentApi(types.folder)
  const changes = changesOf(readApi(KEPT), api)
  console.log(changes === '' ? 'The public types are those of docs/api.' : changes)
  if (changes !== '' && process.argv.includes('--accept')) keepApi(api)
  else if (changes !== '') {
    console.log(`\n${ACCEPT} takes them over; say in CHANGELOG.md what changes for users.`)
    process.exitCode = 1
  }
} finally {
  types.remove()
}
