/** Keeps the page as it is now: the server tells that something has changed, and the page is asked for again. */
export function followChanges(changed: () => void): void {
  const main = document.querySelector('main')
  const state = document.querySelector<HTMLElement>('#live')
  const url = liveUrlOf(document)
  if (!main || !state || url === undefined) return
  const say = (text: string): void => {
    if (state.textContent !== text) state.textContent = text
  }
  let loading = false
  let again = false

  async function load(): Promise<void> {
    // What is on its way may be from before this change.
    again = loading
    if (loading) return
    loading = true
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
      if (!answer.ok) return say(answer.status === 401 ? 'Signed out' : 'Not up to date')
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
      // The head of a page is there before it turns out that the rest cannot be had.
      if (liveUrlOf(next) === undefined) return say('Not up to date')
      if (exchange(main as HTMLElement, next)) {
        changed()
        say(`Updated ${new Date().toISOString().slice(11, 19)}`)
      }
    } catch {
      say('Not up to date')
    } finally {
      loading = false
      if (again) void load()
    }
  }

  let events: EventSource | undefined

  function follow(from: string): void {
    events = new EventSource(from)
    events.addEventListener('open', () => say('Live'))
    events.addEventListener('change', () => void load())
    events.addEventListener('failure', () => say('Not up to date'))
    // It opens itself again. What happened meanwhile is told then, for the URL says what was seen.
    events.addEventListener('error', () => say('Connecting'))
  }

  function stop(): void {
    events?.close()
    events = undefined
  }

  // A browser has few connections for one host: pages that nobody sees leave them to others.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stop()
    else if (!events) follow(url)
  })
  addEventListener('pagehide', stop)
  addEventListener('pageshow', () => {
    if (!events && !document.hidden) follow(url)
  })
  if (!document.hidden) follow(url)
}

/** Where the page is told that it has changed; undefined where the page is not there. */
function liveUrlOf(page: Document): string | undefined {
  return page.querySelector<HTMLElement>('[data-live]')?.dataset['live']
}

/** Puts what is new in the place of what is shown, but for what somebody is writing in. */
function exchange(main: HTMLElement, next: Document): boolean {
  const fresh = next.querySelector('main')
  if (!fresh) return false
  const sections = [...main.querySelectorAll<HTMLElement>('section[id]')]
  const ids = sections.map(({ id }) => id)
  const freshIds = [...fresh.querySelectorAll('section[id]')].map(({ id }) => id)
  if (ids.join(' ') !== freshIds.join(' ')) {
    // A section came or went, such as that of the alarms.
    if (main.querySelector('form :focus')) return false
    return swap(main, fresh)
  }
  return sections
    .map((section) => {
      const other = next.getElementById(section.id)
      return other !== null && swap(section, other)
    })
    .includes(true)
}

const asServed = new WeakMap<Element, string>()

function swap(shown: HTMLElement, other: Element): boolean {
  const content = other.innerHTML
  // What was served is compared, for a chart that is drawn has changed what is there.
  const before = asServed.get(shown) ?? withoutDrawings(shown)
  if (before === content || shown.querySelector('input:focus, select:focus')) return false
  const open = new Set([...shown.querySelectorAll('details[open]')].map(({ id }) => id))
  const focused = keyOf(document.activeElement)
  shown.replaceChildren(...[...other.childNodes].map((node) => document.importNode(node, true)))
  asServed.set(shown, content)
  for (const details of shown.querySelectorAll('details')) details.open = open.has(details.id)
  if (focused !== '' && document.activeElement === document.body) {
    const again = [...shown.querySelectorAll<HTMLElement>('a, button, summary')]
    again.find((element) => keyOf(element) === focused)?.focus()
  }
  return true
}

function withoutDrawings(shown: HTMLElement): string {
  const copy = shown.cloneNode(true) as HTMLElement
  for (const chart of copy.querySelectorAll('[data-chart]')) chart.replaceChildren()
  for (const details of copy.querySelectorAll('details')) details.open = false
  return copy.innerHTML
}

/** What a focused element is known by when it was replaced. */
function keyOf(element: Element | null): string {
  if (!element || element === document.body) return ''
  return `${element.tagName} ${element.getAttribute('href') ?? ''} ${element.textContent}`
}
