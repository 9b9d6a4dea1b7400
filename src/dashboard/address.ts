/** Whether suppressions can be asked about a text: they refuse what is no address. */
export function isAddress(text: string): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(text)
}
