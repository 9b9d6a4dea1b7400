/**
 * What is wrong with options that nobody knows; undefined where there are none. A misspelt one changes nothing, and
 * in JavaScript nobody would notice.
 *
 * @param where what they were given to, for errors
 */
export function misspeltOption(where: string, unknown: object): string | undefined {
  const [name] = Object.keys(unknown)
  return name === undefined ? undefined : `${where}: there is no option ${JSON.stringify(name)}`
}
