import { afterEach, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { lastMessage, mail, startMandrill, transporterTo } from './sending.js'

const proxies = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy']
const before = new Map(proxies.map((name) => [name, process.env[name]]))
let proxy: Server | undefined

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  proxy?.close()
})

test('calls go over one connection that is kept', async () => {
  const provider = await startMandrill()
  const transporter = transporterTo(provider)
  await transporter.sendMail(mail())
  await transporter.sendMail(mail({ subject: 'Another' }))
  expect(lastMessage(provider)).toMatchObject({ subject: 'Another' })
  expect(provider.requests.map(({ headers }) => headers['connection'])).toEqual([
    'keep-alive',
    'keep-alive',
  ])
})

test('where a proxy is set up, calls go through that', async () => {
  const asked: (string | undefined)[] = []
  proxy = createServer((request, response) => {
    asked.push(request.url)
    request.resume().once('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end('[{"email":"ann@example.org","status":"sent","_id":"4f1c0d9be2a84c7f"}]')
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
  for (const name of proxies) delete process.env[name]
  process.env['HTTP_PROXY'] = `http://127.0.0.1:${address.port}`
  const info = await transporterTo({ url: 'http://mandrill.example' }).sendMail(mail())
  expect(info.providerMessageId).toBe('4f1c0d9be2a84c7f')
  expect(asked).toEqual(['http://mandrill.example/api/1.3/messages/send'])
})
