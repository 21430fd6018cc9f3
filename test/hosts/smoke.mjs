/**
 * Backs up `data` of the working folder, verifies, restores, compares, exports and imports a ZIP, and says how it went.
 * Usage: smoke.mjs [worker file]
 */
import fs from 'node:fs'
import { BackupEngine, filesystem, localTarget, rawKey, workerPool } from 'holdfast'

const folder = fs.mkdtempSync('run-')
const warnings = new Set()
let workers = 0
process.on('worker', () => workers++)

// Not awaited at the top, which no CommonJS bundle can.
export const done = run(process.argv[2]).then((outcome) => console.log(JSON.stringify(outcome)))

async function run(file) {
  const pool = file === undefined ? undefined : workerPool({ file })
  const engine = await BackupEngine.open({
    target: localTarget(`${folder}/repository`),
    key: rawKey(new Uint8Array(32).fill(7)),
    sources: [filesystem({ name: 'data', path: 'data', xattrs: false })],
    ...(pool && { workers: pool }),
  })
  for (const verb of ['backup', 'verify', 'restore']) {
    engine.on(`${verb}:warning`, ({ warning }) => warnings.add(`${warning.code}: ${warning.message}`))
  }
  await engine.backup()
  const { sound } = await engine.verify({ level: 'content' })
  await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: `${folder}/restored` } }))
  await engine.exportZip({ snapshot: 'latest', to: { path: `${folder}/export.zip` } })
  const { snapshot } = await engine.importZip({ from: { path: `${folder}/export.zip` } })
  await engine.close()
  await pool?.close()
  const same = isSame() && snapshot.kind === 'import'
  return { sound, same, workers: workers > 0, warnings: [...warnings] }
}

function isSame() {
  const names = fs.readdirSync('data')
  const read = (path) => fs.readFileSync(path)
  return names.length > 0 && names.every((name) => read(`data/${name}`).equals(read(`${folder}/restored/data/${name}`)))
}
