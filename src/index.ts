export { BackupError } from './errors.ts'
