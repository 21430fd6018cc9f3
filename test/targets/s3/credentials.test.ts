import { expect, it } from 'vitest'
import { s3Target } from '../../../src/targets/s3/index.ts'

it('credentials may be those that a client of the SDK has used', () => {
  const used = { accessKeyId: 'a', secretAccessKey: 's', accountId: '1', $source: { CREDENTIALS_CODE: 'e' } }
  expect(() => s3Target({ bucket: 'bucket', credentials: used })).not.toThrow()
  const mistyped = { ...used, sesionToken: 't' }
  expect(() => s3Target({ bucket: 'bucket', credentials: mistyped })).toThrow('sesionToken')
})
