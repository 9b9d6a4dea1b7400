/**
 * What a message may have under `mandrill`: the parameters of `messages/send`, as they are sent. With a
 * message that has to go as a MIME document they are written as its `X-MC-…` headers; those that have
 * none are not carried.
 */
export interface MandrillMailOptions {
  message?: MandrillMessageOptions
  /** Send in the background: every recipient is `queued`, and refusals come as events. */
  async?: boolean
  /** The pool of dedicated addresses to send from. */
  ip_pool?: string
  /** In UTC, as `YYYY-MM-DD HH:MM:SS`; `sendAt` takes a Date. */
  send_at?: string
  /** What the editable regions of the template hold; only with a `templateId`. */
  template_content?: readonly MandrillVariable[]
}

/**
 * The parameters of `message`. Lists replace those that the message has; its sender, its recipients,
 * our id and what differs from recipient to recipient cannot be given here.
 */
export interface MandrillMessageOptions {
  html?: string
  text?: string
  subject?: string
  from_name?: string
  headers?: Readonly<Record<string, string>>
  /** Deliver it ahead of others. */
  important?: boolean
  track_opens?: boolean
  track_clicks?: boolean
  /** Make the text from the HTML where there is none. */
  auto_text?: boolean
  /** Make the HTML from the text where there is none. */
  auto_html?: boolean
  /** Write the style sheet into the elements; only in HTML of less than 256 KB. */
  inline_css?: boolean
  /** Count clicks on a link together, whatever its query. */
  url_strip_qs?: boolean
  /**
   * Whether the recipients see each other; `false` sends each a mail of its own. Default `true`, and
   * `false` with `recipientData`.
   */
  preserve_recipients?: boolean
  /** `false` keeps the content out of Mandrill's log. */
  view_content_link?: boolean
  /** One address that gets a copy of every recipient's mail. */
  bcc_address?: string
  tracking_domain?: string
  signing_domain?: string
  return_path_domain?: string
  merge?: boolean
  /** Default `mailchimp`; values that are objects need `handlebars`. */
  merge_language?: 'mailchimp' | 'handlebars'
  /** In place of `templateData`. */
  global_merge_vars?: readonly MandrillVariable<unknown>[]
  tags?: readonly string[]
  subaccount?: string
  google_analytics_domains?: readonly string[]
  google_analytics_campaign?: string | readonly string[]
  /** Merged with the message's `metadata`. */
  metadata?: Readonly<Record<string, string | number | boolean>>
  attachments?: readonly MandrillAttachment[]
  images?: readonly MandrillAttachment[]
}

export interface MandrillVariable<Content = string> {
  name: string
  content: Content
}

export interface MandrillAttachment {
  type: string
  /** Of an image it is the Content-ID, without brackets. */
  name: string
  /** In base64. */
  content: string
}

declare module '../../transporter.js' {
  interface ProviderMailOptions {
    /** For Mandrill alone: merged into what is sent. */
    mandrill?: MandrillMailOptions
  }
}
