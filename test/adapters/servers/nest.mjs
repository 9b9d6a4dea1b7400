import 'reflect-metadata'
import { All, Body, Controller, Module, Post, Req, Res } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

const [, , way = 'mounted'] = process.argv

class ElsewhereController {
  /** @param {unknown} body */
  receive(body) {
    return { parsed: body }
  }
}

class WebhooksController {
  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  receive(request, response) {
    return correlator.nodeHandler(request, response)
  }
}

class AppModule {}

/**
 * What TypeScript makes of decorators.
 *
 * @param {Function} controller
 * @param {MethodDecorator} route
 * @param {ParameterDecorator[]} parameters
 */
function decorate(controller, route, parameters) {
  Reflect.decorate([Controller()], controller)
  const { prototype } = controller
  const method = Object.getOwnPropertyDescriptor(prototype, 'receive')
  Reflect.decorate([route], prototype, 'receive', method)
  for (const [index, parameter] of parameters.entries()) parameter(prototype, 'receive', index)
}
decorate(ElsewhereController, Post(['elsewhere', 'webhooks/elsewhere']), [Body()])
decorate(WebhooksController, All('webhooks/*path'), [Req(), Res()])
const controllers =
  way === 'mounted' ? [ElsewhereController] : [ElsewhereController, WebhooksController]
Reflect.decorate([Module({ controllers })], AppModule)

/** @type {import('@nestjs/platform-express').NestExpressApplication} */
const app =
  way === 'kept' || way === 'raised'
    ? await NestFactory.create(AppModule, { rawBody: true })
    : await NestFactory.create(AppModule)
if (way === 'raised') {
  app.useBodyParser('json', { limit: '5mb' })
}
if (way === 'mounted') {
  app.use('/webhooks', correlator.nodeHandler)
}
await app.listen(0, '127.0.0.1')
sayWhere(app.getHttpServer())
