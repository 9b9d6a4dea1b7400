/** The message of an event. Fields are absent or null in events of old messages. */
export interface MandrillMessage {
  _id?: string
  _version?: string | number | null
  ts?: number | null
  state?: string | null
  subject?: string | null
  email?: string | null
  sender?: string | null
  tags?: string[] | null
  opens?: { ts?: number; ip?: string; location?: string; ua?: string }[] | null
  clicks?: { ts?: number; url?: string; ip?: string; location?: string; ua?: string }[] | null
  smtp_events?:
    | {
        ts?: number
        type?: string
        diag?: string
        source_ip?: string
        destination_ip?: string
        size?: number
      }[]
    | null
  resends?: unknown[] | null
  /** An empty one comes as an empty list. */
  metadata?: Record<string, unknown> | [] | null
  template?: string | null
  mc_template?: string | null
  subaccount?: string | null
  reject?: { reason?: string; last_event_at?: string } | null
  bounce_description?: string
  bgtools_code?: number
  diag?: string
  [field: string]: unknown
}

/** What a sync event says of an address; of an allowlist no more than the first three. */
export interface MandrillListEntry {
  email?: string
  detail?: string | null
  /** `YYYY-MM-DD HH:MM:SS`, in UTC, as are the other dates. */
  created_at?: string
  reason?: string
  last_event_at?: string
  expires_at?: string | null
  expired?: boolean
  subaccount?: string | null
  sender?: string | null
  [field: string]: unknown
}

/** An entry of `mandrill_events`: a message event has `event`, a sync event `type` and `action`. */
export interface MandrillEvent {
  event?: string
  _id?: string
  ts?: number | string | null
  msg?: MandrillMessage | [] | null
  diag?: string
  ip?: string | null
  url?: string
  user_agent?: string | null
  user_agent_parsed?: Record<string, unknown> | null
  location?: Record<string, unknown> | string | null
  type?: string
  action?: string
  /** Of a denylist. */
  reject?: MandrillListEntry
  /** Of an allowlist. */
  entry?: MandrillListEntry
  [field: string]: unknown
}

/** An attachment or an image of an inbound mail, without its content. */
export interface MandrillFile {
  name?: string
  type?: string
  /** Whether the content came in base64; images always do, and do not say so. */
  base64?: boolean
}

/**
 * What an inbound event has beside. `raw_msg`, `text`, `html`, `headers` and the contents of files are
 * left out, as `mail` carries them, and what is very long is cut.
 */
export interface MandrillInboundMail {
  msg?: {
    /** The address that got it; `to` and `cc` are what its headers say. */
    email?: string
    from_email?: string
    from_name?: string | null
    to?: [email: string, name: string | null][] | null
    cc?: [email: string, name: string | null][] | null
    subject?: string | null
    text_flowed?: boolean
    spam_report?: {
      score?: number
      matched_rules?: { name?: string | null; score?: number; description?: string | null }[]
    }
    dkim?: { signed?: boolean; valid?: boolean }
    spf?: { result?: string; detail?: string }
    /** By their names; an empty list where there are none. */
    attachments?: Record<string, MandrillFile> | []
    images?: Record<string, MandrillFile> | []
  }
}

declare module '../../event.js' {
  interface RawEvents {
    mandrill: MandrillEvent
  }
  interface RawInboundMails {
    mandrill: MandrillInboundMail
  }
}
