import type { Suppression, SuppressionCause } from '../store.js'
import { suppressionCauses } from '../suppression.js'
import type { SuppressionFilter } from '../suppressions.js'
import { isAddress } from './address.js'
import { actionButton, hiddenFields, textField } from './fields.js'
import { tokenField } from './csrf.js'
import { moment } from './formats.js'
import { html, type Html } from './html.js'
import { linkTo, linkWith } from './links.js'
import type { Page } from './page.js'
import { table } from './table.js'
import type { Asked, StandingView } from './view.js'

/** The addresses that must not be mailed; they can be added and taken back. */
export const suppressionList: StandingView = {
  title: 'Suppressions',
  always: true,
  async read({ correlator }, asked) {
    const address = (asked.parameters.get('address') ?? '').trim()
    const cursor = asked.parameters.get('cursor') ?? undefined
    const found = isAddress(address)
      ? { suppressions: await correlator.suppressions.get(address) }
      : await correlator.suppressions.list({
          limit: asked.limit,
          ...(cursor !== undefined && { cursor }),
        })
    return suppressionPage({ address, ...found }, asked)
  },

  async act({ correlator }, form) {
    const address = form.get('address') ?? ''
    switch (form.get('action')) {
      case 'add': {
        const detail = (form.get('detail') ?? '').trim()
        await correlator.suppressions.add(address, detail === '' ? {} : { detail })
        return { notice: 'suppressed' }
      }
      case 'remove': {
        const cause = suppressionCauses.find((known) => known === form.get('cause'))
        const filter = { ...(cause && { cause }), ...scopeOf(form) }
        const count = await correlator.suppressions.remove(address, filter)
        return { notice: 'unsuppressed', count }
      }
      default:
        throw new TypeError('the form has no action that is known')
    }
  },
}

function scopeOf(form: URLSearchParams): SuppressionFilter {
  const [kind, id, provider] = [form.get('scope'), form.get('group'), form.get('provider')]
  if (kind === 'all') return { scope: { kind } }
  if ((kind !== 'group' && kind !== 'list') || id === null || provider === null) return {}
  return { scope: { kind, id }, provider }
}

interface SuppressionAnswers {
  /** That alone is shown, where it is an address. */
  address: string
  suppressions: readonly Suppression[]
  cursor?: string
}

const causes: Readonly<Record<SuppressionCause, string>> = {
  bounced: 'It can never be reached.',
  complained: 'Its owner called a mail spam.',
  unsubscribed: 'Its owner asked for no more.',
  listed: "It stands on a provider's own list.",
  added: 'It was added by hand, or by an import.',
}

function suppressionPage(
  { address, suppressions, cursor }: SuppressionAnswers,
  asked: Asked,
): Page {
  const list = table({
    name: 'suppressions',
    caption: 'Addresses that must not be mailed',
    empty: isAddress(address) ? `${address} may be mailed.` : 'Every address may be mailed.',
    rows: suppressions,
    cursor,
    action: (row) => removal(row, asked.token),
    columns: [
      {
        key: 'address',
        title: 'Address',
        value: (row) => row.address,
        show: (row) =>
          html`<a class="long" href="${linkTo(asked, 'messages', { recipient: row.address })}"
            >${row.address}</a
          >`,
      },
      {
        key: 'cause',
        title: 'Why',
        value: ({ cause }) => cause,
        show: ({ cause }) => html`<strong>${cause}</strong> <small>${causes[cause]}</small>`,
      },
      {
        key: 'scope',
        title: 'From what',
        value: ({ scope }) => [scope.kind, scope.id].filter(Boolean).join(' '),
      },
      { key: 'provider', title: 'Told by', value: ({ provider }) => provider },
      {
        key: 'detail',
        title: 'In their words',
        value: ({ detail }) => detail,
        show: ({ detail }) => html`<span class="words">${detail}</span>`,
      },
      {
        key: 'since',
        title: 'Since',
        value: ({ since }) => since.toISOString(),
        show: ({ since }) => moment(since),
      },
      {
        key: 'expires_at',
        title: 'Until',
        value: ({ expiresAt }) => expiresAt?.toISOString(),
        show: ({ expiresAt }) => expiresAt && moment(expiresAt),
      },
    ],
  })
  const body = html`${drawForms(address, asked)} ${list.draw(asked)}
    <nav class="paging" aria-label="Pages">
      ${asked.parameters.has('cursor') && html`<a href="${linkWith(asked, { cursor: '' })}">First</a>`}
      ${cursor !== undefined && html`<a href="${linkWith(asked, { cursor })}" rel="next">More</a>`}
    </nav>`
  return { body, tables: [list] }
}

function removal({ address, cause, scope, provider = '' }: Suppression, token: string): Html {
  const fields = { action: 'remove', address, cause, scope: scope.kind }
  const group = scope.id === undefined ? {} : { group: scope.id, provider }
  return actionButton(token, { ...fields, ...group }, 'Remove', `${address}, ${cause}`)
}

function drawForms(address: string, { token, ...place }: Asked): Html {
  return html`<div class="pair">
    <form method="get" class="filters" role="search">
      ${textField('address', 'Address', address, { type: 'search', hint: 'ann@example.com' })}
      <button type="submit">Look up</button>
      <a href="${linkTo(place, 'suppressions')}">All of them</a>
    </form>
    <form method="post" class="filters" aria-label="Suppress an address">
      ${hiddenFields({ action: 'add', [tokenField]: token })}
      ${textField('address', 'Suppress', '', { type: 'email', hint: 'ann@example.com' })}
      ${textField('detail', 'because', '', { hint: 'asked by phone' })}
      <button type="submit">Suppress</button>
    </form>
  </div>`
}
