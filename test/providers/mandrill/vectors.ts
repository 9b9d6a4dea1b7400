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

/** What wrong implementations make of the vectors: none of it may be taken. */
export const mistaken: { mistake: string; vector: Vector; signature: string }[] = [
  {
    mistake: 'the key of another webhook',
    vector: sendEvent,
    signature: 'wgTeQoO4HF2WdREBrLOFqnCpuxU=',
  },
  { mistake: 'a trailing slash', vector: sendEvent, signature: '8l5AMj95HRaFCfz0KoZXR8TKOuo=' },
  {
    mistake: 'http in place of https',
    vector: sendEvent,
    signature: '7x71XLu5vZwkBSJaDgG2pNFBn2Y=',
  },
  { mistake: 'JSON written anew', vector: sendEvent, signature: 'rHIRSb7PF1IfTLplFKaos/wKwSk=' },
  { mistake: 'the form not decoded', vector: sendEvent, signature: '5hCMLr8mxA+CUI03GbZSgdVYUpg=' },
  {
    mistake: 'plus not turned into a space',
    vector: sendEvent,
    signature: 'pDfaFRIpuzqgGDvG1KAbi2qOoo8=',
  },
  {
    mistake: 'SHA-256 in place of SHA-1',
    vector: sendEvent,
    signature: 'T0hRUwNnVsyg2bz2EpSRlp1ckQAf+kwMSiksRVyvzwM=',
  },
  {
    mistake: 'a query left away',
    vector: denylistEvent,
    signature: 'YRFIaUkAibCs0LI6hYH93yAA4EI=',
  },
  {
    mistake: 'a query in another order',
    vector: denylistEvent,
    signature: '1mwIUbDYFt+qb3bAMElHPcARPtI=',
  },
  { mistake: 'a query decoded', vector: denylistEvent, signature: 'gXRi2TNpeURffGbHLWBJ8MabQkI=' },
  {
    mistake: 'the credentials dropped from the URL',
    vector: bounceEvent,
    signature: 'SX010A/94HtfhLCpSjRILwWy+NI=',
  },
  {
    mistake: 'latin1 in place of UTF-8',
    vector: bounceEvent,
    signature: 'T2naUNscgH0+sCgO6RLCo6HTfnw=',
  },
  {
    mistake: 'parameters that are not sorted',
    vector: twoParameters,
    signature: 'edWZDKRcsB53iqFxQLT5gSIUGZ4=',
  },
]
