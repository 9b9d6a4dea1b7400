import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as forward } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { mailgunSimulator } from 'mailtrail/mailgun'
import { mandrillSimulator } from 'mailtrail/mandrill'
import { sendgridSimulator } from 'mailtrail/sendgrid'
import { byRecipient, happens, type Script, startProvider } from 'mailtrail/testing'
import { startEndpoint } from '../endpoint.js'

export const examplesFolder = join(dirname(dirname(__dirname)), 'examples')

/** How long something may take while other tests run, in ms. */
export const patience = 15_000

/** Whoever is called nobody does not exist. */
export const nobodyBounces: Script = byRecipient((address) =>
  address.startsWith('nobody@') ? happens('bounced') : happens('accepted', 'delivered'),
)

/** What leads from a known URL to an example, whose port is not known before it has started. */
export async function startTunnel() {
  let target = ''
  const { url: tunnelUrl, close } = await startEndpoint((request, response) => {
    const { method, headers, url = '' } = request
    const passedOn = forward(target + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passedOn.once('error', () => response.destroy())
    request.pipe(passedOn)
  })
  return {
    /** Below which webhooks are posted. */
    webhooks: `${tunnelUrl}/webhooks`,
    leadTo(url: string) {
      target = url
    },
    close,
  }
}

/** The providers as an example meets them: they post to what leads to it. */
export type Surroundings = Awaited<ReturnType<typeof startSurroundings>>

export async function startSurroundings(script: Script = nobodyBounces) {
  const tunnel = await startTunnel()
  const { webhooks, leadTo } = tunnel
  const mandrillUrl = `${webhooks}/mandrill`
  const simulators = {
    sendgrid: sendgridSimulator({ apiKey: 'SG.example' }),
    mailgun: mailgunSimulator({ apiKey: 'key-example', domain: 'mg.example.com' }),
    mandrill: mandrillSimulator({ apiKey: 'md-example', webhookUrl: mandrillUrl }),
  }
  const start = (provider: keyof typeof simulators) =>
    startProvider(simulators[provider], { webhookUrl: `${webhooks}/${provider}`, script })
  const sendgrid = await start('sendgrid')
  const mailgun = await start('mailgun')
  const mandrill = await start('mandrill')
  return {
    simulators,
    sendgrid,
    mailgun,
    mandrill,
    webhooks,
    leadTo,
    /** What `npx mailtrail dev` prints. */
    environment: {
      SENDGRID_API_KEY: 'SG.example',
      SENDGRID_URL: sendgrid.url,
      SENDGRID_WEBHOOK_PUBLIC_KEY: simulators.sendgrid.publicKey,
      MAILGUN_API_KEY: 'key-example',
      MAILGUN_DOMAIN: 'mg.example.com',
      MAILGUN_URL: mailgun.url,
      MAILGUN_WEBHOOK_SIGNING_KEY: simulators.mailgun.signingKey,
      MANDRILL_API_KEY: 'md-example',
      MANDRILL_URL: mandrill.url,
      MANDRILL_WEBHOOK_KEY: simulators.mandrill.webhookKey,
      MANDRILL_WEBHOOK_URL: mandrillUrl,
    },
    async close() {
      await Promise.all([sendgrid, mailgun, mandrill].map((provider) => provider.close()))
      await tunnel.close()
    },
  }
}

/** An example in a process and a working directory of its own. */
export interface RunningExample {
  /** Where it listens; empty where it does not. */
  url: string
  /** What it printed. */
  lines: string[]
  /** Resolves with the first line that it prints, or has printed, with this in it. */
  said(text: string): Promise<string>
  /** Writes a line to its standard input. */
  write(line: string): void
  /** Sends something to what was loaded ahead of it. */
  send(message: number): void
  /** Asks it to end; resolves to its exit code, or the signal that ended it. */
  terminate(): Promise<number | string | null>
  /** Ends it as a crash does. */
  stop(): Promise<void>
}

interface StartOptions {
  environment?: Record<string, string>
  /** Loaded ahead of it. */
  ahead?: readonly string[]
  /** What it is found by when it is ready; by default it listens. */
  readyLine?: string
}

const aheadOfAll = join(__dirname, 'reporting.mjs')

/** @param program its path below `examples`, or another one, with its arguments */
export async function startExample(
  [program = '', ...parameters]: readonly string[],
  { environment = {}, ahead = [], readyLine }: StartOptions = {},
): Promise<RunningExample> {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail example '))
  const imports = [aheadOfAll, ...ahead].flatMap((path) => ['--import', pathToFileURL(path).href])
  const child = spawn(
    process.execPath,
    [...imports, resolve(examplesFolder, program), ...parameters],
    {
      cwd: folder,
      env: { ...process.env, NODE_ENV: 'production', PORT: '0', ...environment },
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    },
  )
  const lines: string[] = []
  const output = [child.stdout, child.stderr].filter((stream) => stream !== null)
  for (const input of output) createInterface({ input }).on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(() => {
    rmSync(folder, { recursive: true, force: true })
    return child.exitCode ?? child.signalCode
  })

  const said = (text: string): Promise<string> =>
    eventually(() => {
      const line = lines.find((each) => each.includes(text))
      if (line === undefined) throw new Error(`nothing of ${text} in:\n${lines.join('\n')}`)
      return line
    })
  const port = (async (): Promise<number> => {
    const [address] = await once(child, 'message')
    return address.port
  })()
  const failed = ended.then((code): never => {
    throw new Error(`it ended with ${code}:\n${lines.join('\n')}`)
  })
  const ready = readyLine === undefined ? port : said(readyLine).then(() => 0)
  const listening = await Promise.race([ready, failed])
  failed.catch(() => {})
  return {
    url: listening === 0 ? '' : `http://127.0.0.1:${listening}`,
    lines,
    said,
    write: (line) => void child.stdin?.write(`${line}\n`),
    send: (message) => void child.send(message),
    async terminate() {
      child.kill('SIGTERM')
      return ended
    },
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** What something gives when it no longer throws. */
export async function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
  const end = Date.now() + patience
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > end) throw error
    }
    await delay(10)
  }
}

/** What is asked of an example, with JSON in both directions. */
export async function ask(
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  content?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, {
    method,
    ...(content && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(content),
    }),
    signal: AbortSignal.timeout(patience),
  })
  const text = await response.text()
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : { text } }
}
