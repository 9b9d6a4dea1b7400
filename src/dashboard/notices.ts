import { count } from './formats.js'

/** What is said after an action; the words are ours, whatever stands in the URL. */
const notices: Readonly<Record<string, (count: number) => string>> = {
  suppressed: () => 'The address is suppressed from now on.',
  unsuppressed: (many) =>
    many === 0
      ? 'Nothing had to be taken back: the address may be mailed.'
      : 'The address may be mailed again.',
  replayed: (many) =>
    many === 0
      ? 'There was nothing to tell again.'
      : `${count(many)} ${many === 1 ? 'event is' : 'events are'} being told again.`,
  retried: (many) => (many === 0 ? 'The message failed again.' : 'The message was sent again.'),
}

/** The notice that a URL asks for; undefined when it asks for none. */
export function noticeOf(parameters: URLSearchParams): string | undefined {
  const name = parameters.get('done') ?? ''
  if (!Object.hasOwn(notices, name)) return undefined
  const many = Number(parameters.get('count') ?? 1)
  return notices[name]?.(Number.isSafeInteger(many) && many >= 0 ? many : 1)
}
