// npm run docs:api: the reference, from what stands above every exported name. A warning is a failure.
import { readFileSync } from 'node:fs'

const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

/** @type {import('typedoc').TypeDocOptions} */
export default {
  name: 'mailtrail',
  entryPoints: Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string'
      ? []
      : [entry.import.types.replace('dist/esm', 'src').replace('.d.ts', '.ts')],
  ),
  out: 'api-docs',
  readme: 'none',
  // Links to sources need a repository, and the reference is built without one, too.
  disableSources: true,
  treatWarningsAsErrors: true,
  // The build checks types.
  skipErrorChecking: true,
  excludeExternals: true,
  plugin: ['./build/documented-fields.mjs'],
  validation: { invalidLink: true, notDocumented: true, notExported: true, rewrittenLink: true },
  requiredToBeDocumented: [
    'Class',
    'Enum',
    'Function',
    'Interface',
    'Method',
    'TypeAlias',
    'Variable',
  ],
  // Nodemailer's own, with the events of a transporter for their types.
  intentionallyNotDocumented: [
    'on',
    'once',
    'off',
    'addListener',
    'removeListener',
    'prependListener',
    'prependOnceListener',
  ].map((name) => `index.ProviderTransporter.${name}`),
  // What only puts public types together.
  intentionallyNotExported: [
    'src/errors.ts:sendErrorCodes',
    'src/event.ts:ProviderAndRaw',
    'src/event.ts:ProviderAndRawInbound',
    'src/providers/mailgun/event-data.ts:PostedField',
    'src/providers/mailgun/mail-options.ts:Json',
    'src/providers/mailgun/mail-options.ts:YesNo',
    'src/sender.ts:Sender',
    'src/testing/matchers.ts:For',
    'src/testing/matchers.ts:Matcher',
    'src/transporter.ts:Listener',
  ],
}
