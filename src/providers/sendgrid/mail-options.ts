/**
 * What a message may have under `sendgrid`: parameters of SendGrid's Mail Send API, named as there. They
 * are merged over what the other fields of the message say, lists as a whole.
 */
export interface SendgridMailOptions {
  /** The unsubscribe group that it belongs to, and those that its recipients are shown, 25 at most. */
  asm?: { group_id: number; groups_to_display?: readonly number[] }
  /** From `POST /v3/mail/batch`; what is sent at a later time can be cancelled by it. */
  batch_id?: string
  /** In place of `tags`: 10 at most, of 255 ASCII characters each. */
  categories?: readonly string[]
  /** Of 2 to 64 characters. */
  ip_pool_name?: string
  /** What is done with the mail. */
  mail_settings?: SendgridMailSettings
  /** Blocks of text for templates of the old kind, and for text with tags in it. */
  sections?: Readonly<Record<string, string>>
  /** In place of `sendAt`, in seconds since 1970. */
  send_at?: number
  /** In place of `templateId`. */
  template_id?: string
  /** What is told of it. */
  tracking_settings?: SendgridTrackingSettings
}

/** What SendGrid does with the mail, named as there. */
export interface SendgridMailSettings {
  bypass_list_management?: { enable: boolean }
  bypass_spam_management?: { enable: boolean }
  bypass_bounce_management?: { enable: boolean }
  bypass_unsubscribe_management?: { enable: boolean }
  footer?: { enable: boolean; text?: string; html?: string }
  /** The message is checked and not sent, and no event is told of it. */
  sandbox_mode?: { enable: boolean }
  /** No longer documented. */
  bcc?: { enable: boolean; email: string }
  /** No longer documented. */
  spam_check?: { enable: boolean; threshold?: number; post_to_url?: string }
}

/** What SendGrid tells of the mail, named as there. */
export interface SendgridTrackingSettings {
  /** `enable` is what `trackClicks` says, and `enable_text` is false with that unless it stands here. */
  click_tracking?: { enable?: boolean; enable_text?: boolean }
  /** `enable` is what `trackOpens` says, unless it stands here. */
  open_tracking?: { enable?: boolean; substitution_tag?: string }
  subscription_tracking?: {
    enable: boolean
    text?: string
    html?: string
    substitution_tag?: string
  }
  ganalytics?: {
    enable: boolean
    utm_source?: string
    utm_medium?: string
    utm_term?: string
    utm_content?: string
    utm_campaign?: string
  }
}

declare module '../../transporter.js' {
  interface ProviderMailOptions {
    /** Parameters of SendGrid's Mail Send API, named as there. */
    sendgrid?: SendgridMailOptions
  }
}
