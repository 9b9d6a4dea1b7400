export { bullmqQueue } from './queue.js'
export type { EventJob, JobQueue } from './queue.js'
export { eventProcessor } from './processor.js'
