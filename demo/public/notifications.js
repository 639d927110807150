import { showMoment } from './format.js'
import { live } from './live.js'
import './shell.js'

const list = document.querySelector('[data-live="notifications"]')
const template = document.querySelector('#notification')

live.on('notification', note => {
  if (list.querySelector(`[data-notification="${CSS.escape(note.id)}"]`)) return
  const item = template.content.firstElementChild.cloneNode(true)
  item.dataset.notification = note.id
  item.dataset.read = note.read
  item.querySelector('[data-field="text"]').textContent = note.text
  showMoment(item.querySelector('[data-field="at"]'), note.at)
  list.prepend(item)
  document.querySelector('.empty').hidden = true
})

live.on('notifications.read', () => {
  for (const item of list.children) item.dataset.read = 'true'
})

live.addEventListener('gap', () => location.reload())
