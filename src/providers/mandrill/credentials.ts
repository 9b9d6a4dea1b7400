import { checkedBaseUrl, requiredOption } from '../../transport-options.js'

/**
 * Who calls Mandrill's API, and where it is, with its version.
 *
 * @throws ConfigurationError when no API key is given, or the base URL is none
 */
export function credentials(
  caller: string,
  given: { apiKey?: string | undefined; baseUrl?: string | undefined },
): { apiKey: string; basePath: string } {
  const apiKey = requiredOption(caller, 'apiKey', given.apiKey, 'MANDRILL_API_KEY')
  const base = given.baseUrl ?? (process.env['MANDRILL_URL'] || 'https://mandrillapp.com')
  const root = checkedBaseUrl(caller, base)
  return { apiKey, basePath: /\/api\/[\d.]+$/.test(root) ? root : `${root}/api/1.3` }
}
