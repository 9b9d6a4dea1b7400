import type { Board } from './board.js'

/** Makes dead letters of a message's events: telling them ten times would take eight minutes. */
export async function giveUp(
  { correlator, store }: Pick<Board, 'correlator' | 'store'>,
  trackingId: string,
  { listener = 'crm', error = 'the CRM is away' } = {},
): Promise<void> {
  const events = (await correlator.message(trackingId))?.events ?? []
  const progress = { [listener]: { attempts: 10, error, ended: 'given-up' as const } }
  const at = Date.now()
  await store.settle(events.map(({ id: eventId }) => ({ eventId, kind: 'given-up', progress, at })))
}
