import { SendError, StoreError } from './errors.js'

// What a send fails with that was called off, or one of whose steps took too long.

export const aborted = (): SendError =>
  new SendError('not sent: its signal was aborted', {
    category: 'unknown',
    retryable: true,
    outcome: 'not-sent',
  })

const tooSlow = (message: string, outcome: SendError['outcome']): SendError =>
  new SendError(message, { category: 'timeout', retryable: outcome === 'not-sent', outcome })

export const contentTooSlow = (): SendError =>
  tooSlow('not sent: the content of the message could not be read in time', 'not-sent')

export const hookTooSlow = (): SendError =>
  tooSlow('not sent: beforeSend did not end in time', 'not-sent')

export const storeTooSlow = (): StoreError =>
  new StoreError('recording a send', new Error('it did not answer in time'))

export const verifyTooSlow = (): SendError =>
  tooSlow('the provider did not answer in time', 'not-sent')

export const noAnswer = (): SendError =>
  tooSlow('the provider did not answer in time: it may have taken the message', 'unknown')
