import { expect, jest, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../../../src/index.js'
import { mandrillWebhook } from '../../../src/providers/mandrill/index.js'
import { collectErrors } from '../../told-events.js'
import { key, url } from './vectors.js'
import { entry, formOf, readBatch, signatureOf } from './webhook-requests.js'

const missing = (name: string): never => {
  const error = new Error(`Cannot find package '${name}' imported from somewhere`)
  throw Object.assign(error, { code: 'ERR_MODULE_NOT_FOUND' })
}
jest.mock('postal-mime', () => missing('postal-mime'))
jest.mock('iconv-lite', () => missing('iconv-lite'))

const inbound = { event: 'inbound', ts: 1767226100, msg: { email: 'box@in.example.com' } }
const list = { type: 'whitelist', action: 'add', entry: { email: 'vip@example.org' }, ts: 1 }

test('without the packages that read mail, all but mail is read', async () => {
  const events = await readBatch([entry(), list, null, { event: 'inbound' }])
  expect(events.map(({ type }) => type)).toEqual(['accepted', 'suppression', 'unknown', 'unknown'])
})

test('and a batch that holds a mail comes again, which says what to install', async () => {
  const store = memoryStore()
  const correlator = createCorrelator({ store, webhooks: [mandrillWebhook({ key, url })] })
  const errors = collectErrors(correlator)
  const body = formOf([entry(), inbound])
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-mandrill-signature': signatureOf(body),
  }
  const response = await correlator.handler(new Request(url, { method: 'POST', headers, body }))
  expect(response.status).toBe(503)
  expect(errors).toEqual([expect.stringContaining('npm install postal-mime')])
  expect(await store.nextDue()).toBeUndefined()
  await correlator.close()
})
