/**
 * What a message may have under `mandrill`: the parameters of `messages/send`, as they are sent. With a
 * message that has to go as a MIME document they are written as its `X-MC-…` headers; those that have
 * none are not carried.
 */
export interface MandrillMailOptions {
  /** The parameters of the message itself. */
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
  /** In place of `html`. */
  html?: string
  /** In place of `text`. */
  text?: string
  /** In place of `subject`. */
  subject?: string
  /** In place of the sender's name. */
  from_name?: string
  /** Merged with those of the message. */
  headers?: Readonly<Record<string, string>>
  /** Deliver it ahead of others. */
  important?: boolean
  /** In place of `trackOpens`. */
  track_opens?: boolean
  /** In place of `trackClicks`. */
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
  /** The domain of links that are counted. */
  tracking_domain?: string
  /** The domain of the DKIM signature. */
  signing_domain?: string
  /** The domain of the return path. */
  return_path_domain?: string
  /** Whether merge tags in the content are filled in. */
  merge?: boolean
  /** Default `mailchimp`; values that are objects need `handlebars`. */
  merge_language?: 'mailchimp' | 'handlebars'
  /** In place of `templateData`. */
  global_merge_vars?: readonly MandrillVariable<unknown>[]
  /** In place of `tags`. */
  tags?: readonly string[]
  /** The subaccount to send from; it must exist. */
  subaccount?: string
  /** Links to these domains get the parameters of Google Analytics. */
  google_analytics_domains?: readonly string[]
  /** What `utm_campaign` is in them; the sender by default. */
  google_analytics_campaign?: string | readonly string[]
  /** Merged with the message's `metadata`. */
  metadata?: Readonly<Record<string, string | number | boolean>>
  /** In place of `attachments`. */
  attachments?: readonly MandrillAttachment[]
  /** In place of the parts that the HTML shows by `cid`. */
  images?: readonly MandrillAttachment[]
}

/** A name, and what stands for it. */
export interface MandrillVariable<Content = string> {
  name: string
  content: Content
}

/** A file as Mandrill takes it. */
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
