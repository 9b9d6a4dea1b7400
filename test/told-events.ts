import type { Correlator, MailEvent, SentMessage } from '../src/index.js'

export interface Told {
  event: MailEvent
  message: SentMessage | undefined
}

/** Collects every event that a correlator tells, in order. */
export function collectTold(correlator: Correlator): Told[] {
  const told: Told[] = []
  correlator.onAny((event, message) => void told.push({ event, message }))
  return told
}

/** Collects the messages of every error that a correlator reports. */
export function collectErrors(correlator: Correlator): string[] {
  const errors: string[] = []
  correlator.onError((error) => void errors.push(error.message))
  return errors
}
