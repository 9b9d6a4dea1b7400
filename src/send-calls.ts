import { SendError } from './errors.js'
import { canonicalAddress } from './matching.js'
import { type RecipientAnswer, type SendAnswer, toSendError } from './send-result.js'

/** One call of several that a message takes, and whom it is for. */
export interface SendCall<Request> {
  request: Request
  addresses: string[]
}

/**
 * Makes the calls that a message takes, one after the other, and of their answers one. After a failure
 * it makes no more, for the next would meet it too.
 *
 * @throws SendError when none was answered
 */
export async function sendInCalls<Request>(
  calls: readonly SendCall<Request>[],
  send: (request: Request) => Promise<SendAnswer>,
): Promise<SendAnswer> {
  const answers = new Map<string, RecipientAnswer>()
  const responses = new Set<string>()
  let first: SendAnswer | undefined
  let failure: SendError | undefined
  for (const { request, addresses } of calls) {
    const answer = failure ?? (await send(request).catch(failureAfter(first)))
    for (const address of addresses) {
      answers.set(
        canonicalAddress(address),
        answer instanceof SendError ? unanswered(answer) : answerFor(address, answer),
      )
    }
    if (answer instanceof SendError) {
      // What is not tried has failed, whatever became of the one that was.
      failure ??= notTried(answer)
    } else {
      first ??= answer
      responses.add(answer.response)
    }
  }
  if (!first) throw new TypeError('a message takes one call at least')
  if (calls.length === 1) return first
  return {
    response: [...responses].join(', '),
    ...(first.messageId !== undefined && { messageId: first.messageId }),
    recipient: (address) =>
      answers.get(canonicalAddress(address)) ?? { status: 'unknown', providerStatus: '' },
  }
}

/** Fails the whole message with the first of its calls: none of it was sent then, as far as is known. */
function failureAfter(first: SendAnswer | undefined): (error: unknown) => SendError {
  return (error) => {
    if (!first) throw error
    return toSendError(error, true)
  }
}

/** Each call has an id of its own, by which its recipients' events are known. */
function answerFor(address: string, answer: SendAnswer): RecipientAnswer {
  const { providerMessageId } = answer
  return {
    ...(providerMessageId !== undefined && { providerMessageId }),
    ...answer.recipient(address),
  }
}

function unanswered({ message, outcome }: SendError): RecipientAnswer {
  const status = outcome === 'unknown' ? 'unknown' : 'failed'
  return { status, providerStatus: '', reason: message }
}

function notTried(error: SendError): SendError {
  return new SendError(`not sent, for an earlier call of it failed: ${error.message}`, {
    category: error.category,
    retryable: error.retryable,
    outcome: 'not-sent',
  })
}
