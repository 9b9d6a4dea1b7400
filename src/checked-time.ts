/**
 * A time that was given as a date, in ms since 1970: whoever writes JavaScript may give anything.
 *
 * @param name what it is called where it was given, such as `find: from`
 * @throws TypeError for what is no date
 */
export function checkedTime(time: unknown, name: string): number {
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.getTime()
  throw new TypeError(`${name} must be a date`)
}
