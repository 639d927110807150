import { localizeTimes } from './format.js'

/** Asks for the page once more, and puts what events change in place as it is now. Answers which events that includes. */
export async function loadParts(signal) {
  const response = await fetch(location.href, { cache: 'no-store', signal })
  const page = new DOMParser().parseFromString(await response.text(), 'text/html')
  const parts = [...document.querySelectorAll('[data-live]')].map(part => [
    part,
    page.querySelector(`[data-live="${part.dataset.live}"]`),
  ])
  // An error, or the login page.
  if (parts.some(([, now]) => now === null)) throw new Error(`the page is not there: status ${response.status}`)
  localizeTimes(page)
  for (const [part, now] of parts) part.replaceWith(now)
  return { cursor: page.body.dataset.cursor }
}
