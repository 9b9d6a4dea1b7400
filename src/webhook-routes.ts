import type { Webhook, WebhookEndpoint } from './provider.js'

/** What is served where a path ends so. */
export interface Route {
  end: string
  webhook: Webhook
  endpoint: WebhookEndpoint
}

/** By the end of the path: `…/<name>`, or `…/<name>/inbound` for mail. */
export function routeByName(webhooks: readonly Webhook[]): (path: string) => Route | undefined {
  const routes = webhooks.flatMap((webhook) => {
    const { name, inbound } = webhook
    const events: Route = { end: `/${name}`, webhook, endpoint: webhook }
    return inbound ? [events, { end: `/${name}/inbound`, webhook, endpoint: inbound }] : [events]
  })
  // The longest first: a webhook may be named `inbound`.
  routes.sort((a, b) => b.end.length - a.end.length)
  return (path) => {
    const whole = withoutSlashes(path)
    return routes.find(({ end }) => whole.endsWith(end))
  }
}

/** By hand, for a regular expression would go through a path of slashes once for each of them. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end -= 1
  return path.slice(0, end)
}
