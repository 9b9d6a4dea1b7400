import {
  BadGatewayException,
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common'
import { SendError } from 'mailtrail'
import { MailService } from './mail.service.js'

@Controller('invitations')
export class InvitationsController {
  constructor(private readonly mail: MailService) {}

  @Post()
  @HttpCode(202)
  async invite(@Body('email') email: string) {
    try {
      return { trackingId: await this.mail.invite(email) }
    } catch (error) {
      if (!(error instanceof SendError)) throw error
      throw new BadGatewayException({ error: error.category })
    }
  }

  @Get(':trackingId')
  async status(@Param('trackingId') trackingId: string) {
    const message = await this.mail.correlator.message(trackingId)
    if (!message) throw new NotFoundException()
    return { status: message.status }
  }
}
