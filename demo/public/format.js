const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })
const moment = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
})
const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

/** Cents as euros. */
export const money = cents => euros.format(cents / 100)

/** The time of day. */
export const timeOfDay = at => clock.format(at)

/** The time of day, to the minute. */
export const minuteOfDay = at => minutes.format(at)

/** Writes a moment into a `<time>`, in the visitor's own time zone. */
export function showMoment(element, at) {
  element.dateTime = new Date(at).toISOString()
  element.textContent = moment.format(at)
}

/** Rewrites the times that the server wrote, which knows no time zone but UTC. */
export function localizeTimes(root) {
  for (const element of root.querySelectorAll('time[datetime]')) showMoment(element, Date.parse(element.dateTime))
}
