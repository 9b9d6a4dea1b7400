import type { Address, ProviderInfo, ProviderTransport, TransportOptions } from 'mailtrail'
import { checkedBaseUrl, createProviderTransport, defaultTimeout } from 'mailtrail/provider'
import { connectionFailure, httpCaller, httpFailure, plainWords } from 'mailtrail/provider'
import { canonicalAddress, fields, formatMailbox, invalid, isFields } from 'mailtrail/provider'
import { ownIdKey, parseJson, requiredOption, text, waitBefore } from 'mailtrail/provider'
import type { Fields, OutgoingMail, ProviderClient, SendAnswer } from 'mailtrail/provider'

export interface PostmarkTransportOptions extends TransportOptions {
  /** A server token; default `POSTMARK_SERVER_TOKEN` of the environment. */
  serverToken?: string
}

declare module 'mailtrail' {
  interface ProviderMailOptions {
    /** Fields of Postmark's own, named as in its API. */
    postmark?: { MessageStream?: string }
  }
}

/** Sends through Postmark; throws a `ConfigurationError` without a token, or when `baseUrl` is no URL. */
export function postmarkTransport(
  options: PostmarkTransportOptions = {},
): ProviderTransport<ProviderInfo<'postmark'>> {
  const name = 'postmarkTransport'
  const token = requiredOption(name, 'serverToken', options.serverToken, 'POSTMARK_SERVER_TOKEN')
  const baseUrl = checkedBaseUrl(name, options.baseUrl ?? 'https://api.postmarkapp.com')
  const ask = apiCaller(token, baseUrl, options.timeout ?? defaultTimeout)
  const client: ProviderClient<Fields> = {
    carries: new Set(['trackOpens', 'trackClicks', 'postmark']),
    // Each message stream has suppressions of its own; this is the stream of who names none.
    groupsOf: (own) => [text(own['MessageStream']) ?? 'outbound'],
    buildRequest,
    send: async (request) => readAnswer(await ask('POST', '/email', JSON.stringify(request))),
    verify: async () => void (await ask('GET', '/server')),
  }
  return createProviderTransport('postmark', client, options)
}

/** Pure: the body of `POST /email`, and what of the mail is not in it. */
function buildRequest(mail: OutgoingMail, trackingId: string): { request: Fields; lost: string[] } {
  if (mail.to.length + mail.cc.length + mail.bcc.length === 0) {
    throw invalid('Postmark needs at least one recipient')
  }
  const { MessageStream, ...others } = mail.own
  const [tag, ...otherTags] = new Set(mail.tags)
  const lost = Object.keys(others).map((name) => `postmark.${name}`)
  if (mail.from.length > 1) lost.push('more than one from address')
  if (otherTags.length > 0) lost.push('more than one of the tags')
  const line = (list: Address[]) => list.map(formatMailbox).join(', ') || undefined
  const request = {
    From: line(mail.from.slice(0, 1)),
    To: line(mail.to),
    Cc: line(mail.cc),
    Bcc: line(mail.bcc),
    ReplyTo: line(mail.replyTo),
    Subject: mail.subject,
    HtmlBody: mail.html,
    TextBody: mail.text,
    Tag: tag,
    Metadata: { ...mail.metadata, [ownIdKey]: trackingId },
    TrackOpens: mail.trackOpens,
    TrackLinks: mail.trackClicks === false ? 'None' : mail.trackClicks && 'HtmlAndText',
    MessageStream,
    Headers: [
      ...mail.headers.map(({ name, value }) => ({ Name: name, Value: value })),
      { Name: 'Message-ID', Value: mail.messageId },
      // Else Postmark sets an id of its own (User guide, Sending email with SMTP).
      { Name: 'X-PM-KeepID', Value: 'true' },
    ],
    Attachments: mail.attachments.map(({ filename, contentType, content, contentId }) => ({
      Name: filename,
      ContentType: contentType,
      Content: content.toString('base64'),
      ContentID: contentId && `cid:${contentId}`,
    })),
  }
  return { request, lost }
}

// Codes of errors (API overview). Those of an account or a sender that may not send come with status 422.
const inactive = 406
const mayNotSend: readonly unknown[] = [400, 401, 405, 412, 413]

/** Calls the API. Rejects with a `SendError` for all but what Postmark has decided. */
function apiCaller(token: string, baseUrl: string, timeout: number) {
  const call = httpCaller(timeout)
  const type = 'application/json'
  const headers = { accept: type, 'content-type': type, 'x-postmark-server-token': token }
  return async (method: 'GET' | 'POST', path: string, body?: string): Promise<Fields> => {
    const notTaken = body === undefined
    const request = { method, url: baseUrl + path, headers, ...(!notTaken && { body }) }
    const answer = await call(request).catch((error: unknown) => {
      throw connectionFailure('Postmark', error, { notTaken })
    })
    const said = parseJson(answer.body)
    const { ErrorCode, Message } = fields(said)
    if (isFields(said) && (answer.status === 200 || ErrorCode === inactive)) return said
    throw httpFailure('Postmark', {
      status: answer.status,
      detail: text(Message) ?? plainWords(answer.headers['content-type'], answer.body),
      category: mayNotSend.includes(ErrorCode) ? 'rejected' : undefined,
      notTaken,
      retryAfter: waitBefore((name) => answer.headers[name] ?? null, Date.now()),
      secrets: [token],
    })
  }
}

function readAnswer({ MessageID, ErrorCode, Message }: Fields): SendAnswer {
  const nobody = ErrorCode === inactive
  const id = nobody ? undefined : text(MessageID)
  // Who was left out of several is told in words alone.
  const [, list = ''] =
    /inactive addresses:\s*(.*?)\.?\s*(?:Inactive|$)/.exec(String(Message)) ?? []
  const left = new Set(list.split(',').map(canonicalAddress))
  return {
    response: nobody ? '406 Inactive recipient' : '200 OK',
    ...(id !== undefined && { providerMessageId: id }),
    recipient: (address) =>
      nobody || left.has(canonicalAddress(address))
        ? { status: 'rejected', providerStatus: 'inactive', reason: 'inactive recipient' }
        : { status: 'accepted', providerStatus: 'OK' },
  }
}
