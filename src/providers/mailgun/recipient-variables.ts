import type { Header } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { canonicalAddress } from '../../matching.js'
import type { Fields } from '../../payload.js'
import type { OutgoingMail } from '../../provider-client.js'
import { type RecipientData, type RecipientDataByAddress, sameAsAll } from '../../recipient-data.js'

/** What Mailgun puts where a message says `%recipient.<name>%`: by address as in `to`, and by name. */
export type RecipientVariables = Record<string, Variables>

type Variables = Record<string, string | number>

/** What is the same for all, with placeholders for the rest; and what each recipient has for those. */
interface Parted<Same> {
  same: Same
  variables: Variables[]
}

/**
 * The message as everybody gets it, with placeholders where they differ. Mailgun leaves a placeholder as
 * it is for whom it has no variable, so each recipient has all of them.
 *
 * @param templated whether a template takes the data; without one the text itself speaks of it
 */
export function withPlaceholders(
  mail: OutgoingMail,
  recipientData: RecipientDataByAddress,
  templated: boolean,
): { mail: OutgoingMail; recipientVariables: RecipientVariables } {
  const everybody = [...mail.to, ...mail.cc, ...mail.bcc]
  // Also of those whom another call is for: what one of them has, none may lack.
  const differing = [...recipientData.values()]
  const theirs = everybody.map(
    ({ address }) => recipientData.get(canonicalAddress(address)) ?? sameAsAll,
  )
  const data = partData(mail.templateData, templated, differing, theirs)
  const metadata = partTexts(
    'v:',
    mail.metadata,
    differing.flatMap((entry) => Object.keys(entry.metadata)),
    theirs.map((entry) => entry.metadata),
  )
  const headers = partHeaders(mail.headers, differing, theirs)
  return {
    mail: {
      ...mail,
      to: everybody,
      cc: [],
      bcc: [],
      templateData: data.same,
      metadata: metadata.same,
      headers: headers.same,
    },
    recipientVariables: Object.fromEntries(
      everybody.map(({ address }, index) => [
        address,
        { ...data.variables[index], ...metadata.variables[index], ...headers.variables[index] },
      ]),
    ),
  }
}

/** Texts with what Mailgun makes of the placeholders among them for one recipient. */
export function filledFor(texts: Record<string, string>, variables: Variables): Fields {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const variable = /^%recipient\.([^%]+)%$/.exec(text)?.[1]
      return [name, variable === undefined ? text : (ownValue(variables, variable) ?? text)]
    }),
  )
}

function partData(
  common: Fields,
  templated: boolean,
  differing: readonly RecipientData[],
  theirs: readonly RecipientData[],
): Parted<Fields> {
  const names = new Set([
    ...(templated ? [] : Object.keys(common)),
    ...differing.flatMap(({ data }) => Object.keys(data)),
  ])
  for (const name of names) {
    if (/^[vh]:/.test(name)) {
      throw invalid(`Mailgun takes no data by a name that begins with v: or h:, as ${name} does`)
    }
  }
  const placeholders = Object.fromEntries([...names].map((name) => [name, placeholder(name)]))
  return {
    same: templated ? { ...common, ...placeholders } : {},
    variables: theirs.map(({ data }) =>
      Object.fromEntries(
        [...names].map((name) => [
          name,
          checkedVariable(name, firstGiven(name, [data, common]), templated),
        ]),
      ),
    ),
  }
}

function checkedVariable(name: string, value: unknown, templated: boolean): string | number {
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  // What is filled in is text, and a template takes any text but the empty one for true.
  if (typeof value === 'boolean') return templated && !value ? '' : String(value)
  throw invalid(
    `Mailgun takes texts, numbers, true and false as data that differs, and ${name} is none of these`,
  )
}

/** @param names of those that anybody has */
function partTexts(
  prefix: string,
  common: Record<string, string>,
  names: readonly string[],
  theirs: readonly Record<string, string>[],
): Parted<Record<string, string>> {
  const texts = [...new Set(names)].map((name) => {
    const mark = placeholder(prefix + name)
    const values = theirs.map((own) => String(firstGiven(name, [own, common])))
    const [first = '', ...others] = values
    const differs = others.some((value) => value !== first)
    return { name, values, differs, same: differs ? mark : first }
  })
  const differing = texts.filter(({ differs }) => differs)
  return {
    same: { ...common, ...Object.fromEntries(texts.map(({ name, same }) => [name, same])) },
    variables: theirs.map((_, index) =>
      Object.fromEntries(differing.map(({ name, values }) => [prefix + name, values[index] ?? ''])),
    ),
  }
}

/** The same for headers, of whose names the case does not matter. */
function partHeaders(
  common: readonly Header[],
  differing: readonly RecipientData[],
  theirs: readonly RecipientData[],
): Parted<Header[]> {
  const named = differing.flatMap((entry) => Object.keys(entry.headers))
  const spellings = new Map(
    [...named, ...common.map(({ name }) => name)].map((name) => [name.toLowerCase(), name]),
  )
  const spelled = (name: string): string => spellings.get(name.toLowerCase()) ?? name
  const names = new Set(named.map(spelled))
  const { same, variables } = partTexts(
    'h:',
    Object.fromEntries(
      common.filter(({ name }) => names.has(name)).map(({ name, value }) => [name, value]),
    ),
    [...names],
    theirs.map(({ headers }) =>
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [spelled(name), value])),
    ),
  )
  return {
    same: [
      ...common.filter(({ name }) => !names.has(spelled(name))),
      // What is empty for all is no header.
      ...Object.entries(same).flatMap(([name, value]) => (value === '' ? [] : [{ name, value }])),
    ],
    variables,
  }
}

function placeholder(name: string): string {
  if (name.includes('%')) {
    throw invalid(`Mailgun takes no name with a % in it for what differs, as ${name}`)
  }
  return `%recipient.${name}%`
}

/** The value by a name in the first that has one; the empty text where none has. */
function firstGiven(name: string, all: readonly Fields[]): unknown {
  const given = all.find((values) => ownValue(values, name) !== undefined)
  return given ? ownValue(given, name) : ''
}

function ownValue(values: Fields, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined
}
