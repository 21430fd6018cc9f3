/** Bytes of packs from the target. What a failure says of the pack itself is damage, and no fault of the target. */
import { BackupError, type ErrorCode } from '../errors.ts'
import type { GetOptions, Target } from '../targets/target.ts'
import { packKey } from './keys-layout.ts'

/**
 * The result owns its buffer.
 * @throws BackupError OBJECT_MISSING where there is no such pack, OBJECT_CORRUPT where it is cut or the disk has lost it
 * (EIO), `details.object` naming it; else what the target throws
 */
export async function readPack(target: Target, pack: string, options: GetOptions): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await target.get(packKey(pack), options)
  } catch (error) {
    throw (await damageOf(error, target, pack, options)) ?? error
  }
}

async function damageOf(
  error: unknown,
  target: Target,
  pack: string,
  { range, signal }: GetOptions,
): Promise<BackupError | undefined> {
  if (!BackupError.is(error)) return undefined
  if (error.code === 'TARGET_OBJECT_NOT_FOUND')
    return damage('OBJECT_MISSING', `Pack ${pack} is not there.`, pack, error)
  const lostByDisk = error.details.errno === 'EIO'
  if (lostByDisk) return damage('OBJECT_CORRUPT', `The disk cannot read pack ${pack} any more (EIO).`, pack, error)
  if (error.code !== 'TARGET_PROTOCOL' || range === undefined) return undefined
  const found = await target.stat(packKey(pack), { signal })
  if (found === undefined || found.size >= range.end) return undefined
  return damage('OBJECT_CORRUPT', `Pack ${pack} ends at byte ${found.size}, before ${range.end}.`, pack, error)
}

function damage(code: ErrorCode, message: string, pack: string, cause: BackupError): BackupError {
  return new BackupError(code, message, {
    origin: 'repository',
    details: { object: packKey(pack) },
    hint: 'Run verify to learn what it affects, and restore the object from a copy of the repository if there is one.',
    cause,
  })
}
