import { ConfigurationError } from '../../errors.js'
import { checkedBaseUrl, requiredOption } from '../../transport-options.js'

/**
 * Who calls Mailgun's API, for which domain, and where it is.
 *
 * @throws ConfigurationError when the API key or the domain is missing, or is none, or the base URL is none
 */
export function credentials(
  caller: string,
  given: {
    apiKey?: string | undefined
    domain?: string | undefined
    baseUrl?: string | undefined
  },
): { apiKey: string; domain: string; baseUrl: string } {
  const apiKey = requiredOption(caller, 'apiKey', given.apiKey, 'MAILGUN_API_KEY')
  const domain = requiredOption(caller, 'domain', given.domain, 'MAILGUN_DOMAIN')
  // It becomes part of the path, where Mailgun decodes it before it splits.
  if (!/^[\w-]+(?:\.[\w-]+)*$/.test(domain)) {
    throw new ConfigurationError(`${caller}: ${JSON.stringify(domain)} is not a domain`)
  }
  const base = given.baseUrl ?? (process.env['MAILGUN_URL'] || 'https://api.mailgun.net')
  return { apiKey, domain, baseUrl: checkedBaseUrl(caller, base) }
}
