import { open, seal } from '../crypto/aead.ts'
import { declareBuiltin } from './builtin.ts'
import { defineTransform, type Transform, type TransformContext } from './transform.ts'
import { failed } from './zlib.ts'

const ID = 'aes-256-gcm'
const NOTHING = new Uint8Array(0)

/** Encrypts with AES-256-GCM; what is used wherever the engine has a key, named or not. Adds 16 bytes. */
export function aes256gcm(): Transform {
  const transform = defineTransform({
    id: ID,
    kind: 'encrypt',
    encode(segment, context) {
      const { key, nonce, aad } = secrets(context)
      return seal(key, nonce, aad, segment)
    },
    decode(segment, context) {
      const { key, nonce, aad } = secrets(context)
      if (segment.length - 16 > context.maxBytes) throw failed(ID, `more than ${context.maxBytes} bytes`)
      const plain = open(key, nonce, aad, segment)
      if (plain === undefined) throw failed(ID, 'the bytes are not what was sealed under this key')
      return plain
    },
  })
  return declareBuiltin(transform, ID, null)
}

function secrets({ key, nonce, aad }: TransformContext): { key: Uint8Array; nonce: Uint8Array; aad: Uint8Array } {
  if (key === undefined || nonce === undefined) throw failed(ID, 'it was given no key')
  return { key, nonce, aad: aad ?? NOTHING }
}
