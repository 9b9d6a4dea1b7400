const reservedKeys = new Set([
  'asm_group_id',
  'attempt',
  'bounce_classification',
  'category',
  'cert_err',
  'custom_args',
  'domain',
  'email',
  'event',
  'from',
  'ip',
  'newsletter',
  'phase_id',
  'pool',
  'post_type',
  'reason',
  'response',
  'send_at',
  'smtp-id',
  'status',
  'timestamp',
  'tls',
  'type',
  'unique_args',
  'url',
  'url_offset',
  'useragent',
])

const reservedPrefixes = ['marketing_campaign_', 'mc_', 'nlvx_', 'sg_', 'singlesend_', 'template_']

/**
 * Whether SendGrid writes this key into events itself. Custom arguments come back beside those
 * keys, and SendGrid's own value wins, so metadata must not use them.
 */
export function reservedKey(key: string): boolean {
  return reservedKeys.has(key) || reservedPrefixes.some((prefix) => key.startsWith(prefix))
}
