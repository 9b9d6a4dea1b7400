import { invalid } from '../../mail-options.js'

// The manual tells of 3 tags, and the newer help pages and mailgun-go of 10.
export const limits = {
  recipients: 1000,
  tags: 10,
  variablesBytes: 4096,
  optionsBytes: 16 * 1024,
  messageBytes: 25 * 1024 * 1024,
  daysAhead: 7,
}

export function checkRecipients(count: number): void {
  if (count === 0) throw invalid('Mailgun needs at least one recipient')
  if (count > limits.recipients) {
    throw invalid(`Mailgun takes ${limits.recipients} recipients at once, and these are ${count}`)
  }
}

/** @param what it is the size of, for the error */
export function checkMessageBytes(bytes: number, what: string): void {
  if (bytes > limits.messageBytes) {
    throw invalid(`Mailgun takes messages of ${limits.messageBytes} bytes, and ${what} is ${bytes}`)
  }
}

export function checkSendAt(sendAt: Date, now: number): void {
  if (sendAt.getTime() > now + limits.daysAhead * 24 * 3600_000) {
    const time = sendAt.toISOString()
    throw invalid(`Mailgun takes a sendAt of up to ${limits.daysAhead} days ahead, and not ${time}`)
  }
}

export function checkTags(tags: readonly string[]): void {
  if (tags.length > limits.tags) {
    throw invalid(`Mailgun takes ${limits.tags} tags, and these are ${tags.length}`)
  }
  for (const tag of tags) {
    if (!/^[ -~]{1,128}$/.test(tag)) {
      throw invalid(`Mailgun takes tags of 1 to 128 ASCII characters: ${JSON.stringify(tag)}`)
    }
  }
}

/** @param size of their names and values together */
export function checkOptionsBytes(size: number): void {
  if (size > limits.optionsBytes) {
    throw invalid(
      `Mailgun takes ${limits.optionsBytes} bytes of options, headers, metadata and template data ` +
        `(o:, h:, v: and t:) together, and these are ${size}`,
    )
  }
}
