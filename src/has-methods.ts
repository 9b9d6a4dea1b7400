/** Whether something is an object that can be asked to do all of these: what it is an instance of says less. */
export function hasMethods<T>(value: T, ...names: readonly string[]): value is T & object {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
