type YesNo = boolean | 'yes' | 'no' | 'true' | 'false'
type Json = string | number | boolean | object

/**
 * Fields of Mailgun's form in their wire form, merged into what is sent. A flag goes as `yes` or `no`, a
 * list as a field for each of its texts, and an object as JSON where Mailgun reads that; what is
 * `undefined` changes nothing. A message that goes as a MIME document says itself what `subject`, `text`,
 * `html`, `amp-html` and `h:…` would.
 */
export interface MailgunMailOptions {
  /** In place of `subject`. */
  subject?: string
  /** In place of `text`. */
  text?: string
  /** In place of `html`. */
  html?: string
  /** Nodemailer's `amp`. */
  'amp-html'?: string
  /** The name of a stored template: `templateId` with any provider. */
  template?: string
  /** The tag of one of its versions. */
  't:version'?: string
  /** Whether a text part is made from the template, too. */
  't:text'?: YesNo
  /** What the template is filled with: `templateData` with any provider. */
  't:variables'?: string | object
  /** In place of `tags`. */
  'o:tag'?: string | readonly string[]
  /** Whether it is signed. */
  'o:dkim'?: YesNo
  /** `signing_domain/selector` */
  'o:secondary-dkim'?: string
  /** `public_signing_domain/selector` */
  'o:secondary-dkim-public'?: string
  /** A date of RFC 2822, or seconds since 1970: `sendAt` with any provider. */
  'o:deliverytime'?: string | number
  /** How long it is tried, such as `1h30m`: from 5 minutes to 24 hours. */
  'o:deliver-within'?: string
  /** From `24h` to `72h`. */
  'o:deliverytime-optimize-period'?: string
  /** `HH:mm` or `hh:mmaa` */
  'o:time-zone-localize'?: string
  /** Mailgun takes the message, tells of it as delivered, and does not send it. */
  'o:testmode'?: YesNo
  /** Whether openings and clicks are told, both at once. */
  'o:tracking'?: YesNo | 'htmlonly'
  /** `trackClicks` with any provider. */
  'o:tracking-clicks'?: YesNo | 'htmlonly'
  /** `trackOpens` with any provider. */
  'o:tracking-opens'?: YesNo
  /** Whether the pixel that tells of openings stands at the top. */
  'o:tracking-pixel-location-top'?: YesNo | 'htmlonly'
  /** Whether it goes over TLS alone. */
  'o:require-tls'?: YesNo
  /** Whether the receiving server's certificate is not looked at. */
  'o:skip-verification'?: YesNo
  /** The address to send from. */
  'o:sending-ip'?: string
  /** The pool of addresses to send from. */
  'o:sending-ip-pool'?: string
  /** Where Mailgun posts a copy of what it delivers. */
  'o:archive-to'?: string
  /** Names of `X-Mailgun-*` headers with commas between them, or `all`. */
  'o:suppress-headers'?: string
  /** Whether the return path is the address in `from`. */
  'o:native-send'?: YesNo
  [header: `h:${string}`]: string | number | readonly string[]
  [variable: `v:${string}`]: Json
}

declare module '../../transporter.js' {
  interface ProviderMailOptions {
    /** Fields of Mailgun's own. */
    mailgun?: MailgunMailOptions
  }
}
