/** The file that every thread of the pool runs. */
import { createService } from './services.ts'
import { startWorker } from './threads/worker-start.ts'

startWorker(createService)
