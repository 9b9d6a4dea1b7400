// A plugin of TypeDoc: a field of options, of events and of messages without a word about it is a warning.
import { Application, ReflectionKind } from 'typedoc'

/** What tells kinds of one thing apart says what it is by its values. */
const discriminants = new Set(['type', 'kind'])
const wholeFiles = /src\/(event|message|transporter)\.ts$/

/** @param {Application} app */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const field of project.getReflectionsByKind(ReflectionKind.Property)) {
      const file = field.isDeclaration() ? field.sources?.[0]?.fullFileName : undefined
      if (!file || file.includes('node_modules') || discriminants.has(field.name)) continue
      const ofOptions =
        field.parent?.kindOf(ReflectionKind.Interface) && field.parent.name.endsWith('Options')
      if (!ofOptions && !wholeFiles.test(file)) continue
      // What is written out in place is told where it stands.
      if (field.parent?.parent?.kindOf(ReflectionKind.Property)) continue
      if (field.hasComment()) continue
      app.logger.validationWarning(`${field.getFriendlyFullName()} in ${file} is not documented`)
    }
  })
}
