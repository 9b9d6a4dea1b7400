import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import nodemailer from 'nodemailer'
import { createCorrelator } from 'mailtrail'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { MAILTRAIL_STORE = 'mailtrail.db' } = process.env

/** Sends mail, and is told what becomes of it. */
@Injectable()
export class MailService implements OnApplicationShutdown {
  private readonly logger = new Logger(MailService.name)

  readonly correlator = createCorrelator({
    store: sqliteStore(MAILTRAIL_STORE),
    webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
  })

  // SENDGRID_API_KEY
  private readonly transporter = nodemailer.createTransport(
    sendgridTransport({ correlator: this.correlator }),
  )

  constructor() {
    this.correlator.on('delivered', ({ recipient }) => this.logger.log(`${recipient} has it`))
    this.correlator.on('bounced', ({ recipient, bounce }, message) => {
      this.logger.warn(`${recipient} bounced (${bounce.kind}): ${message?.subject}`)
    })
  }

  /** @throws SendError when it could not be sent */
  async invite(email: string): Promise<string> {
    const { trackingId } = await this.transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: email,
      subject: 'You are invited',
      text: 'https://shop.example.com/join',
    })
    return trackingId
  }

  async onApplicationShutdown(): Promise<void> {
    await this.correlator.close()
  }
}
