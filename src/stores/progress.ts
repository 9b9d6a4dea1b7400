import type { Progress } from '../store.js'

/** What a replay starts from: who has taken the event is left in peace, the others begin anew. */
export function replayable(progress: Progress): Progress {
  return Object.fromEntries(Object.entries(progress).filter(([, { ended }]) => ended === 'told'))
}
