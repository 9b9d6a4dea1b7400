import { ConfigurationError } from '../../errors.js'
import { checkedBaseUrl, requiredOption } from '../../transport-options.js'

/**
 * Who calls SendGrid's API, and where it is.
 *
 * @throws ConfigurationError when the API key is missing, or it or the base URL is none
 */
export function credentials(
  caller: string,
  given: { apiKey?: string | undefined; baseUrl?: string | undefined },
): { apiKey: string; baseUrl: string } {
  const apiKey = requiredOption(caller, 'apiKey', given.apiKey, 'SENDGRID_API_KEY')
  // fetch takes no such header, which would look like a broken connection with every call.
  if (!/^[!-~]+$/.test(apiKey)) {
    throw new ConfigurationError(
      `${caller}: apiKey is not one: it holds spaces, line breaks or characters beyond ASCII`,
    )
  }
  const base = given.baseUrl ?? (process.env['SENDGRID_URL'] || 'https://api.sendgrid.com')
  return { apiKey, baseUrl: checkedBaseUrl(caller, base) }
}
