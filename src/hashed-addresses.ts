import { createHmac } from 'node:crypto'
import { ConfigurationError } from './errors.js'
import type { AnyEvent } from './event.js'
import { createForgetting, withoutContent } from './forgetting.js'
import { fromBytes, toBytes } from './ids.js'
import { canonicalAddress, writtenForms } from './matching.js'
import type { Address, MessageRecord, SendResult } from './message.js'
import type { IncomingEvent, MessageKey, Store } from './store.js'

const shortestKey = 16

/**
 * A store in which no address of a recipient stands, but what a key makes of it, such as
 * `3f0a…@example.org`: the same for the same address, and nothing that leads back to it without the key. Payloads
 * are not kept, nor contents of received mail. Whoever asks for an address gets what belongs to it; listeners and
 * answers have what is stored. Of `from` addresses, which are yours, nothing is hidden.
 *
 * ```ts
 * const store = hashedAddresses(postgresStore(url), process.env.ADDRESS_KEY)
 * ```
 *
 * @param key a secret of 16 characters at least; with another one nothing that was stored before is found
 * @throws ConfigurationError for a key that is none
 */
export function hashedAddresses(store: Store, key: string | undefined): Store {
  if (typeof key !== 'string' || key.length < shortestKey) {
    throw new ConfigurationError(
      `hashedAddresses: the key must be a secret of ${shortestKey} characters at least`,
    )
  }
  const hmac = (text: string): Buffer => createHmac('sha256', key).update(text).digest()

  function hashed(address: string): string {
    const canonical = canonicalAddress(address)
    const domain = canonical.slice(canonical.lastIndexOf('@') + 1)
    return `${hmac(canonical).toString('hex').slice(0, 32)}@${domain}`
  }

  /** A value with what a key makes of these addresses, wherever they stand in it. */
  function without<T>(value: T, addresses: Iterable<string>): T {
    let hidden = value
    for (const address of new Set([...addresses].map(canonicalAddress))) {
      if (address === '') continue
      const { within } = createForgetting([address, ...writtenForms(address)], hashed(address))
      hidden = within(hidden)
    }
    return hidden
  }

  const hideRecord = (record: MessageRecord): MessageRecord => {
    const { from, ...rest } = record
    return { ...without(rest, recipientsIn(record)), ...(from && { from }) }
  }

  const hideResult = (result: SendResult): SendResult =>
    without(
      result,
      result.recipients.map(({ address }) => address),
    )

  const hideKeys = (keys: readonly MessageKey[]): MessageKey[] =>
    keys.map(({ address, ...rest }) =>
      address === undefined ? rest : { ...rest, address: hashed(address) },
    )

  function hideEvent({ event, address, ...incoming }: IncomingEvent): IncomingEvent {
    const { raw: _raw, ...facts } = event
    const kept =
      facts.type === 'inbound'
        ? { ...facts, mail: withoutContent(facts.mail, 'its content is not kept') }
        : facts
    const hidden: AnyEvent = { ...without(kept, addressesIn(event)), id: hideId(event.id), raw: {} }
    return {
      ...incoming,
      event: hidden,
      ...(address !== undefined && { address: hashed(address) }),
    }
  }

  /** The id of an event is a digest that its address is a part of; its time stays in front. */
  function hideId(id: string): string {
    const bytes = toBytes(id)
    return fromBytes(Buffer.concat([bytes.subarray(0, 7), hmac(id).subarray(0, 9)]))
  }

  return {
    ...store,
    storedAddress: hashed,
    addMessage: (record, keys, schedule) =>
      store.addMessage(hideRecord(record), hideKeys(keys), schedule),
    addResult: (trackingId, result, keys, schedule) =>
      store.addResult(trackingId, hideResult(result), hideKeys(keys), schedule),
    ingest: (batch, schedule) =>
      store.ingest({ ...batch, events: batch.events.map(hideEvent) }, schedule),
    find: ({ address, ...query }, limit, before) =>
      store.find(
        { ...query, ...(address !== undefined && { address: hashed(address) }) },
        limit,
        before,
      ),
    suppress: (facts) =>
      store.suppress(
        facts.map(({ address, detail, ...fact }) => ({
          ...fact,
          address: hashed(address),
          ...(detail !== undefined && { detail: without(detail, [address]) }),
        })),
      ),
    async suppressionsOf(addresses) {
      const asked = new Map(addresses.map((address) => [hashed(address), address]))
      const known = await store.suppressionsOf([...asked.keys()])
      return known.map((entry) => ({
        ...entry,
        address: asked.get(entry.address) ?? entry.address,
      }))
    },
    forget: (address, _written, pseudonym) => store.forget(hashed(address), [], pseudonym),
  }
}

function recipientsIn({ envelope, to, cc, bcc, recipients }: MessageRecord): string[] {
  const listed = [...to, ...cc, ...bcc, ...recipients].map(({ address }) => address)
  return [...envelope.to, ...listed]
}

/** Everybody whom an event names. Of a received mail that is who wrote it, too. */
function addressesIn(event: AnyEvent): string[] {
  const named = [event.recipient, event.type === 'suppression' ? event.address : undefined]
  const given = named.flatMap((address) => address ?? [])
  if (event.type !== 'inbound') return given
  const { envelope, from, to, cc, replyTo } = event.mail
  const of = (list: readonly Address[]): string[] => list.map(({ address }) => address)
  return [
    ...given,
    envelope.from,
    ...envelope.to,
    ...of([...(from ? [from] : []), ...to, ...cc, ...replyTo]),
  ]
}
