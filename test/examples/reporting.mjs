// Loaded ahead of each example: it says at which port that listens, and ends with the tests, however they do.
import { Server } from 'node:net'

const { listen } = Server.prototype
/** @type {(this: Server, ...how: Parameters<typeof listen>) => Server} */
Server.prototype.listen = function (...how) {
  this.once('listening', () => process.send?.(this.address()))
  return listen.apply(this, how)
}
process.once('disconnect', () => process.exit())
// It is not this that keeps an example running.
process.channel?.unref()
