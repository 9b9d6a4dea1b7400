// A Nest app that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks                    # prints what to export
//   npx tsc -p examples/nestjs && node examples/nestjs/dist/main.js          # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { InvitationsController } from './invitations.controller.js'
import { MailService } from './mail.service.js'

@Module({ controllers: [InvitationsController], providers: [MailService] })
class AppModule {}

const { PORT = '3000' } = process.env

const app = await NestFactory.create(AppModule)
app.use('/webhooks', app.get(MailService).correlator.nodeHandler) // ahead of what parses bodies
app.enableShutdownHooks()
await app.listen(PORT)
