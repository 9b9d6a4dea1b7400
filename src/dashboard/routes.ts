import { deadLetterList } from './dead-letter-list.js'
import { failedList } from './failed-list.js'
import { messageList } from './message-list.js'
import { messagePage } from './message-page.js'
import { overview } from './overview.js'
import type { NavigationEntry } from './page.js'
import { suppressionList } from './suppression-list.js'
import type { View } from './view.js'

/** Which views there are beside those that always are. */
export interface OptionalViews {
  failed: boolean
}

const always: readonly { path: string; view: View }[] = [
  { path: '', view: overview },
  { path: 'messages', view: messageList },
  { path: 'suppressions', view: suppressionList },
  { path: 'dead-letters', view: deadLetterList },
]

const notSent = { path: 'failed', view: failedList }

const entriesOf = ({ failed }: OptionalViews) => (failed ? [...always, notSent] : always)

export function navigationOf(views: OptionalViews): NavigationEntry[] {
  return entriesOf(views).map(({ path, view }) => ({ path, title: view.title }))
}

/** The view of a path below where the dashboard is mounted. */
export function routeOf(path: string, views: OptionalViews): View | undefined {
  if (/^messages\/[^/]+$/.test(path)) return messagePage
  return entriesOf(views).find((entry) => entry.path === path)?.view
}
