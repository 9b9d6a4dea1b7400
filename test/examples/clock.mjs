// Loaded ahead of an example whose clock a test turns on, by so many ms as it sends.
import { mock } from 'node:test'

mock.timers.enable({ apis: ['Date', 'setInterval'], now: Date.now() })
process.on('message', (ms) => mock.timers.tick(Number(ms)))
process.channel?.unref()
