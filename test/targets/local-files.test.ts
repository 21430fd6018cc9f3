/** A target that keeps all objects in one file, beside files that are to be backed up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { filesystem } from '../../src/sources/filesystem/filesystem.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { defineTarget, type Target, wrapTarget } from '../../src/targets/target.ts'
import { mirrored } from '../../src/targets/wrappers/mirrored.ts'
import { prefixed } from '../../src/targets/wrappers/prefixed.ts'
import { retrying } from '../../src/targets/wrappers/retrying.ts'
import { testEngine } from '../../src/testing/test-engine.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-files-'))
  for (const name of ['objects.db', 'objects.db-wal', 'objects.db.txt', 'other'])
    writeFileSync(join(folder, name), name)
})
afterEach(() => rmSync(folder, { recursive: true }))

const STORES: Record<string, (localFiles: string[]) => Target> = {
  'as it is': (localFiles) => wrapTarget(memoryTarget(), { localFiles }),
  wrapped: (localFiles) =>
    retrying(prefixed(mirrored([memoryTarget(), defineTarget(wrapTarget(memoryTarget(), { localFiles }))]), 'part')),
  'as a path': ([localPath]) => wrapTarget(memoryTarget(), { localPath: localPath! }),
}

it.for(Object.entries(STORES))('leaves out these files and no other: %s', async ([name, store]) => {
  const target = store([join(folder, 'objects.db'), join(folder, 'objects.db-wal')])
  const sources = [filesystem({ name: 'all', path: folder })]
  await using engine = await testEngine({ target, sources })
  const { snapshot } = await engine.backup()
  expect(snapshot.complete).toBe(true)
  const paths: string[] = []
  for await (const { path } of engine.entries({ snapshot: snapshot.id, recursive: true })) paths.push(path)
  const more = name === 'as a path' ? ['all/objects.db-wal'] : []
  expect(paths).toEqual([...more, 'all/objects.db.txt', 'all/other'])
})
