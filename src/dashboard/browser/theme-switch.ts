/** The button that turns dark into light; without a choice the system's is taken. */
export function switchTheme(changed: () => void): void {
  const button = document.querySelector<HTMLButtonElement>('#theme')
  if (!button) return
  const system = matchMedia('(prefers-color-scheme: dark)')
  const root = document.documentElement
  const isDark = (): boolean =>
    root.dataset['theme'] === undefined ? system.matches : root.dataset['theme'] === 'dark'

  function show(): void {
    if (!button) return
    button.textContent = isDark() ? 'Light' : 'Dark'
    button.setAttribute('aria-label', isDark() ? 'Use light colours' : 'Use dark colours')
    button.hidden = false
  }

  button.addEventListener('click', () => {
    const next = isDark() ? 'light' : 'dark'
    root.dataset['theme'] = next
    localStorage.setItem('mailtrail-theme', next)
    show()
    changed()
  })
  system.addEventListener('change', () => {
    show()
    changed()
  })
  show()
}
