import { StoreError } from './errors.js'

/** Does something with the store; what fails there is a `StoreError` that says what was being done. */
export async function inStore<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StoreError(doing, error)
  }
}
