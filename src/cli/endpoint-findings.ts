import type { Finding, ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { ProviderSimulator, SignedRequest, SimulatedMessage } from '../simulator.js'
import { type EndpointAnswer, post, tryUrl } from './posting.js'
import { toggled } from './url-differences.js'

/** What was found at an endpoint. */
export interface EndpointInspection {
  findings: Finding[]
  /** What time its clock showed. */
  answeredAt?: Date
  /** Whether something signed was posted to it. */
  probed: boolean
}

/** Whose events probes are: nobody's, and no address that there could be. */
const probeAddress = 'probe@mailtrail.invalid'

/** How often a probe is posted, for there may be several applications behind one URL. */
const rounds = 4

/**
 * Tries an endpoint as the provider does: is it there, does it take what is signed, and nothing else?
 *
 * @param settings undefined where nothing signed is to be posted, or nothing there is can sign it
 */
export async function inspectEndpoint(
  kit: ProviderKit,
  url: string,
  settings: ProviderSettings | undefined,
  now: () => Date,
): Promise<EndpointInspection> {
  const tried = await tryUrl(url)
  const found = { ...(tried.date && { answeredAt: tried.date }), probed: false }
  const absent = absence(tried, url)
  if (absent) return { ...found, findings: [absent] }
  const simulator = settings && kit.createSimulator(settings)
  if (!settings || !simulator) return { ...found, findings: [] }
  return { ...found, probed: true, findings: await probe(kit, url, settings, simulator, now) }
}

function absence({ status, text }: EndpointAnswer, url: string): Finding | undefined {
  if (status === 0) {
    return {
      code: 'endpoint-unreachable',
      severity: 'fault',
      what: `Nobody answers at the URL (${text}).`,
      todo: 'See that the application runs, that its name is known, its certificate is good, and no firewall stands before it.',
    }
  }
  if (status >= 300 && status < 400) return redirects
  if (status === 404) {
    return {
      code: 'endpoint-missing',
      severity: 'fault',
      // Without its query, where secrets stand.
      what: `The server answers 404: nothing is mounted at ${new URL(url).pathname}.`,
      todo: 'Mount the handler so that the path ends in the name of the webhook, or set the URL as it is.',
    }
  }
  return undefined
}

const redirects: Finding = {
  code: 'endpoint-redirects',
  severity: 'fault',
  what: 'The server answers with a redirect, which no provider follows with a webhook.',
  todo: 'Enter the URL that it leads to at the provider: with https, with or without the slash at its end.',
}

async function probe(
  kit: ProviderKit,
  url: string,
  settings: ProviderSettings,
  simulator: ProviderSimulator,
  now: () => Date,
): Promise<Finding[]> {
  const message = probeMessage()
  const event = { type: 'delivered', recipient: probeAddress } as const
  // One event, however often it is posted: it is stored once.
  const entry = simulator.entry(message, event, now())
  const signed = (by = simulator, at = now(), forged = false): SignedRequest => {
    const [request] = by.webhooks([entry], at, forged)
    if (!request) throw new Error(`${kit.provider} signs nothing`)
    return request
  }
  const isTaken = async (request: SignedRequest): Promise<boolean> =>
    kit.afterAnswer((await post(url, request)).status).taken

  const answers: EndpointAnswer[] = []
  for (let round = 0; round < rounds; round += 1) answers.push(await post(url, signed()))
  const taken = answers.filter(({ status }) => kit.afterAnswer(status).taken)
  const [first] = answers
  if (!first) return []
  if (taken.length === answers.length) {
    return (await isTaken(signed(simulator, now(), true))) ? [acceptsAnybody] : []
  }
  if (taken.length > 0) return [severalApps(taken.length, answers.length)]
  if (first.status >= 300 && first.status < 400) return [redirects]

  const plain = kit.plainPost(settings, probeAddress, now())
  const request = signed()
  const isParsed =
    (plain && (await isTaken(plain))) || (isJson(request) && (await isTaken(unparsed(request))))
  if (isParsed) return [reserialised]
  // Its clock may be the reason, which is told as such.
  if (first.date && (await isTaken(signed(simulator, first.date)))) return []
  for (const difference of kit.signsUrl ? (['wrong-scheme', 'trailing-slash'] as const) : []) {
    const other = kit.createSimulator({ ...settings, url: toggled(url, difference) })
    if (other && (await isTaken(signed(other)))) return [otherUrl(difference)]
  }
  return [first.status >= 500 ? unavailable(first.status) : refuses(first.status)]
}

function probeMessage(): SimulatedMessage {
  return {
    id: 'mailtrail-probe',
    recipients: [],
    // What somebody who writes JSON again writes otherwise, each provider in its own way.
    subject: 'mailtrail probe 1/1 é',
    metadata: { probe: '1/1 é' },
    tags: [],
    messageId: 'probe@mailtrail.invalid',
    request: null,
  }
}

const isJson = ({ headers }: SignedRequest): boolean =>
  headers['content-type']?.startsWith('application/json') === true

/** Under a type that is JSON all the same, and that parsers of frameworks leave alone. */
const unparsed = ({ headers, body }: SignedRequest): SignedRequest => ({
  headers: { ...headers, 'content-type': 'application/x-mailtrail-probe+json' },
  body,
})

const acceptsAnybody: Finding = {
  code: 'accepts-anybody',
  severity: 'fault',
  what: 'The endpoint takes a webhook that is signed with a wrong key: anybody can make it believe anything.',
  todo: 'Verify signatures before anything is done, or mount the handler of mailtrail there.',
}

const reserialised: Finding = {
  code: 'reserialised-body',
  severity: 'fault',
  what: 'The endpoint takes a signed body only where it is not parsed, or where writing it again changes nothing: something reads the body before the signature is verified.',
  todo: 'Mount the handler before express.json() and the like, or hand the bytes on as they come.',
}

const severalApps = (taken: number, all: number): Finding => ({
  code: 'two-apps',
  severity: 'fault',
  what: `Of ${all} equal probes ${taken} were taken and the others not: two applications, or two versions of one, answer at this URL.`,
  todo: 'Give each application a URL of its own, and all processes of one the same keys.',
})

function otherUrl(difference: 'wrong-scheme' | 'trailing-slash'): Finding {
  const how =
    difference === 'wrong-scheme'
      ? 'with the other of http and https'
      : 'with, or without, the slash at its end'
  return {
    code: difference,
    severity: 'fault',
    what: `The endpoint takes what is signed for the URL ${how}: it was started with another URL than is set here.`,
    todo: 'Set the same URL, to the letter, where the application runs, here, and at the provider.',
  }
}

const unavailable = (status: number): Finding => ({
  code: 'endpoint-unavailable',
  severity: 'fault',
  what: `The endpoint answers ${status} to what is signed rightly: it fails, as it does where its store cannot be written, where it has no key, or where the body was read before.`,
  todo: "Look at the application's log: correlator.onError and correlator.on('refused') tell the reason.",
})

const refuses = (status: number): Finding => ({
  code: 'endpoint-refuses',
  severity: 'fault',
  what: `The endpoint answers ${status} to what is signed with the key that is set here: it has another key, or a guard that keeps probes out.`,
  todo: "Start the application with the same key; correlator.on('refused') tells the reason.",
})
