import { readFileSync } from 'node:fs'

/** A signed webhook: what its key, the URL as entered in Mandrill, and its body must give. */
export interface Vector {
  about: string
  key: string
  url: string
  body: string
  signature: string
}

const fixture = (name: string): string =>
  readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')

export const key = 'aVq7Xn2LkTz0RbYw9HsDfg'
export const otherKey = 'Zt4mPcW8uJ1eQyB6oNxK3w'
export const url = 'https://hooks.example.com/mandrill'

export const sendEvent: Vector = {
  about: 'a plain URL, \\u escapes in the JSON',
  key,
  url,
  body: fixture('send-signed.request.txt'),
  signature: 'VV5nIYwK0zt3hoYFJBmkqsdlq2U=',
}

export const denylistEvent: Vector = {
  about: 'a secret and a tenant in the query, another key',
  key: otherKey,
  url: 'https://hooks.example.com/mandrill/?secret=s3cr3t%2Fx&tenant=7',
  body: fixture('denylist-add-signed.request.txt'),
  signature: 'Lbg+GUUJxjpQHEex2SPRqmPvUcA=',
}

export const bounceEvent: Vector = {
  about: 'credentials and a port in the URL, UTF-8 in the JSON',
  key,
  url: 'https://user:p%40ss@hooks.example.com:8443/mandrill',
  body: fixture('hard-bounce-signed.request.txt'),
  signature: 'W0AcSL1S8eCF/1YyGSpIS+tbAmc=',
}

export const trialPost: Vector = {
  about: 'the trial post, by the key that everybody knows',
  key: 'test-webhook',
  url,
  body: 'mandrill_events=%5B%5D',
  signature: 'IL0hJxXMNPVbDCI5lIrlqNrJYpY=',
}

export const emptyBatch: Vector = {
  about: 'the same post, by the real key',
  key,
  url,
  body: 'mandrill_events=%5B%5D',
  signature: 'iM5VyH5LTDqu/0qDyK9t7alo+Ow=',
}

export const twoParameters: Vector = {
  about: 'two parameters, which are sorted by name',
  key,
  url,
  body: 'mandrill_events=%5B%5D&a_extra=1',
  signature: 'KzXKqDsAm0VnJz3CI3J1QL+AbD0=',
}

/** By the tests of symfony's Mailchimp bridge. */
export const symfonyTrial: Vector = {
  about: "the trial post of another library's tests",
  key: 'test-webhook',
  url: 'http://localhost/',
  body: 'mandrill_events=%5B%5D',
  signature: 'QANhYzyeonX51wyzKImgnLZ27CE=',
}

export const vectors: Vector[] = [
  sendEvent,
  denylistEvent,
  bounceEvent,
  trialPost,
  emptyBatch,
  twoParameters,
  symfonyTrial,
]
