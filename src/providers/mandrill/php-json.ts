/** JSON as PHP writes it, and so Mandrill: `\/` for a slash, `\uXXXX` for what is no ASCII. */
export function phpJson(value: unknown): string {
  return escapeUnicode(escapeSlashes(JSON.stringify(value)))
}

export function escapeSlashes(json: string): string {
  return json.replaceAll('/', '\\/')
}

export function escapeUnicode(json: string): string {
  return json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
