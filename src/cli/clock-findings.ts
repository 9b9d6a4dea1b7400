import type { Finding } from '../provider-kit.js'

/** What a clock showed, and what this machine's did then. */
export interface ClockReading {
  /** Whose it is, such as "SendGrid’s". */
  whose: string
  shown: Date
  here: Date
}

/** A signature that is this much out of time may be refused, in ms. */
const tolerance = 2 * 60_000

/** Which of the clocks is off: providers' are taken to be right. */
export function compareClocks(
  provider: ClockReading | undefined,
  endpoint: ClockReading | undefined,
): Finding[] {
  const ours = provider ? offset(provider) : 0
  const theirs = endpoint ? offset(endpoint) - ours : 0
  const findings: Finding[] = []
  // Of a clock behind the provider's it is the provider that is ahead.
  if (provider && Math.abs(ours) > tolerance) {
    findings.push(clockOff(`The clock of this machine is ${apart(-ours)} ${provider.whose}`))
  }
  if (endpoint && Math.abs(theirs) > tolerance) {
    const reference = provider?.whose ?? "this machine's"
    findings.push(
      clockOff(`The clock of ${endpoint.whose} machine is ${apart(theirs)} ${reference}`),
    )
  }
  return findings
}

const offset = ({ shown, here }: ClockReading): number => shown.getTime() - here.getTime()

function apart(milliseconds: number): string {
  const minutes = Math.round(Math.abs(milliseconds) / 60_000)
  return `${minutes} minutes ${milliseconds > 0 ? 'ahead of' : 'behind'}`
}

function clockOff(what: string): Finding {
  return {
    code: 'clock-off',
    severity: 'fault',
    what: `${what}, so that signatures look too old, or as if from the future, and times are wrong.`,
    todo: 'Set it, and keep it by NTP.',
  }
}
