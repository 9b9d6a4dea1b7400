import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator } from '../src/index.js'
import { sendgridSimulator } from '../src/providers/sendgrid/index.js'
import type { Store } from '../src/store.js'

/** Which store a server runs on: what it is imported from, its name there, and what it is made with. */
export interface ServedStore {
  entry: string
  factory: string
  connection: string
}

/** One posted batch: the events of one message, each of another recipient. */
interface Batch {
  recipients: string[]
  request: { headers: Record<string, string>; body: string | Buffer }
  acknowledged: boolean
}

const simulator = sendgridSimulator({ apiKey: 'SG.x' })

/** Events that are already in the store are leased to who was killed for as long as this, in ms. */
const longestLease = 30_000

interface RunningServer {
  process: ChildProcess
  url: string
  ended: Promise<unknown>
}

async function startServer(store: ServedStore, told: string[]): Promise<RunningServer> {
  const { entry, factory, connection } = store
  const script = join(__dirname, 'crash-server.mjs')
  const options = [script, entry, factory, connection, simulator.publicKey]
  const server = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise((resolve) => server.once('close', resolve))
  const port = await new Promise<string>((resolve) => {
    createInterface({ input: server.stdout }).on('line', (line) => {
      const [word, value = ''] = line.split(' ')
      if (word === 'port') resolve(value)
      else told.push(value)
    })
  })
  return { process: server, url: `http://127.0.0.1:${port}/sendgrid`, ended }
}

function batchOf(name: string): Batch {
  const message = { id: name, recipients: [], subject: '', metadata: {}, tags: [], messageId: name }
  const now = new Date()
  const size = 1 + Math.floor(Math.random() * 30)
  const entries = Array.from({ length: size }, (_, index) =>
    simulator.entry(
      { ...message, request: null },
      { type: 'delivered', recipient: `${name}-${index}@example.com` },
      now,
    ),
  )
  const [request] = simulator.webhooks(entries, now)
  if (!request) throw new Error('there is one')
  return { recipients: entries.map(({ email }) => String(email)), request, acknowledged: false }
}

/**
 * Starts a server on the store, posts batches from several clients, and kills it with SIGKILL at a
 * random moment, so many times; what was not acknowledged is posted once more, as providers do. Then
 * one server is left alone until everything is told.
 *
 * @param store another handle on the same database, which records the messages and is closed here
 * @param disturb done while each server runs
 * @returns one line for each fault: none, if nothing was lost, halved, doubled or left untold
 */
export async function faultsOfCrashes(
  served: ServedStore,
  store: Store,
  rounds: number,
  disturb: (round: number) => Promise<void> = async () => {},
): Promise<string[]> {
  const recorder = createCorrelator({ store })
  const batches: Batch[] = []
  const told: string[] = []
  let unanswered: Batch[] = []

  async function newBatch(name: string): Promise<Batch> {
    const batch = batchOf(name)
    const { recipients } = batch
    const message = { provider: 'sendgrid', providerMessageId: name, recipients }
    // The database may be away just now.
    while ((await recorder.record(message).catch(() => undefined)) === undefined) await delay(20)
    batches.push(batch)
    return batch
  }

  for (let round = 0; round < rounds; round += 1) {
    const server = await startServer(served, told)
    const again = unanswered
    unanswered = []
    const client = async (name: string): Promise<void> => {
      for (let turn = 0; ; turn += 1) {
        const batch = again.shift() ?? (await newBatch(`${round}-${name}-${turn}`))
        const answer = await fetch(server.url, { method: 'POST', ...batch.request }).catch(
          () => undefined,
        )
        batch.acknowledged = answer?.status === 200
        if (!batch.acknowledged) unanswered.push(batch)
        if (!answer) return
      }
    }
    // On a machine that does other things beside it, it takes longer until there is something to lose.
    const longest = batches.some(({ acknowledged }) => acknowledged) ? 150 : 150 * (round + 1)
    const killed = delay(20 + Math.random() * longest).then(() => server.process.kill('SIGKILL'))
    await Promise.all([client('a'), client('b'), client('c'), killed, disturb(round)])
    await server.ended
  }

  const last = await startServer(served, told)
  for (const end = Date.now() + 2 * longestLease; (await store.nextDue()) !== undefined;) {
    if (Date.now() > end) break
    await delay(200)
  }
  last.process.kill('SIGKILL')
  await last.ended
  const faults = await faultsOf(batches, told, store)
  await recorder.close()
  return faults
}

async function faultsOf(batches: Batch[], told: string[], store: Store): Promise<string[]> {
  const stored = await storedRecipients(store)
  const faults = batches.flatMap(({ recipients, acknowledged }): string[] => {
    const found = recipients.filter((recipient) => stored.has(recipient))
    const inOrder = [...new Set(told)].filter((recipient) => recipients.includes(recipient))
    return [
      ...(acknowledged && found.length < recipients.length
        ? [`${found.length} of ${recipients.length} acknowledged events are stored`]
        : []),
      ...(found.length > 0 && found.length < recipients.length
        ? [`${found.length} of a batch of ${recipients.length} are stored`]
        : []),
      ...(found.length > 0 && inOrder.join() !== recipients.join()
        ? [`told ${inOrder.join()} of ${recipients.join()}`]
        : []),
    ]
  })
  for (const [recipient, count] of stored) {
    if (count !== 1) faults.push(`${recipient} is stored ${count} times`)
  }
  if (!batches.some(({ acknowledged }) => acknowledged)) faults.push('nothing was acknowledged')
  return faults
}

/** How many events are stored for each recipient. */
async function storedRecipients(store: Store): Promise<Map<string, number>> {
  const stored = new Map<string, number>()
  let before: string | undefined
  for (;;) {
    const page = await store.find({}, 100, before)
    for (const { record } of page) {
      const { events = [] } = (await store.message(record.trackingId)) ?? {}
      for (const { recipient = '' } of events) {
        stored.set(recipient, (stored.get(recipient) ?? 0) + 1)
      }
    }
    before = page.at(-1)?.record.trackingId
    if (before === undefined) return stored
  }
}
