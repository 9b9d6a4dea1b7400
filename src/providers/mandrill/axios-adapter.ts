import type { HttpCaller } from '../../http-caller.js'
import { fields } from '../../payload.js'

/** What axios, by which the SDK calls the API, takes as `adapter`. */
export type AxiosAdapter = (config: unknown) => Promise<unknown>

/**
 * Has the SDK call over connections of ours: axios' own way costs twice as much, and errors that come from
 * here have no API key in them. Undefined where a proxy is set up in the environment, which axios knows of.
 */
export function axiosAdapter(call: HttpCaller): AxiosAdapter | undefined {
  if (Object.entries(process.env).some(([name, value]) => proxy.test(name) && value)) {
    return undefined
  }
  return async (config) => {
    const { url, data, headers } = fields(config)
    const { body, ...answer } = await call({
      method: 'POST',
      url: String(url),
      headers: textsOf(headers),
      body: String(data),
    })
    const response = { ...answer, data: body, config: {} }
    if (answer.status >= 200 && answer.status < 300) return response
    throw Object.assign(new Error(`Mandrill answered ${answer.status}`), { response })
  }
}

const proxy = /^(?:http|https|all)_proxy$/i

/** axios has null where it has nothing. */
function textsOf(headers: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields(headers)).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    ),
  )
}
