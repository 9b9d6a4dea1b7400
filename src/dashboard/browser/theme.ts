// Runs before anything is painted, so that a page that is to be dark is never white first.
const theme = localStorage.getItem('mailtrail-theme')
if (theme === 'dark' || theme === 'light') document.documentElement.dataset['theme'] = theme
