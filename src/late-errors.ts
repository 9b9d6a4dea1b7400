import { SendError, StoreError } from './errors.js'

// What a send fails with that was called off, or one of whose steps took too long.

export const aborted = (): SendError =>
  new SendError('not sent: its signal was aborted', {
    category: 'unknown',
    retryable: true,
    outcome: 'not-sent',
  })

export const contentTooSlow = (): SendError =>
  new SendError('not sent: the content of the message could not be read in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

export const hookTooSlow = (): SendError =>
  new SendError('not sent: beforeSend did not end in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

export const storeTooSlow = (): StoreError =>
  new StoreError('recording a send', new Error('it did not answer in time'))

export const verifyTooSlow = (): SendError =>
  new SendError('the provider did not answer in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

export const noAnswer = (): SendError =>
  new SendError('the provider did not answer in time: it may have taken the message', {
    category: 'timeout',
    retryable: false,
    outcome: 'unknown',
  })
