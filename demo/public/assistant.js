import { connect } from './koa-event-stream/index.js'
import { openPage } from './shell.js'

/** Asks by POST, which an EventSource cannot, and reads the answer's stream word by word. */

const chat = document.querySelector('[data-chat]')
const form = document.querySelector('[data-ask]')
const send = form.querySelector('[data-send]')
const stop = form.querySelector('[data-stop]')

let answer

openPage()
form.addEventListener('submit', event => {
  event.preventDefault()
  void ask(form.elements.question.value)
  form.reset()
})
stop.addEventListener('click', () => answer.close())
for (const hint of document.querySelectorAll('[data-hint]')) {
  hint.addEventListener('click', () => void ask(hint.textContent))
}

async function ask(question) {
  answer?.close()
  const current = (answer = connect('/assistant/answers', {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ question }),
  }))
  turn('ours', question)
  const text = turn('theirs', '')
  busy(true)
  for await (const { event, data } of current) {
    if (event !== 'token') continue
    text.textContent += data.text
    text.scrollIntoView({ block: 'nearest' })
  }
  text.textContent += ending(current.reason)
  text.parentElement.dataset.done = ''
  if (current === answer) busy(false)
}

/** What is to be said where an answer ends. */
function ending(reason) {
  if (reason === 'done') return ''
  if (reason === 'client') return ' … (stopped)'
  if (reason === 'unauthenticated') location.assign('/login?ended')
  return ` … (that did not work: ${reason})`
}

function turn(whose, text) {
  const element = document.createElement('div')
  element.className = `turn ${whose}`
  const paragraph = document.createElement('p')
  paragraph.textContent = text
  element.append(paragraph)
  chat.append(element)
  element.scrollIntoView({ block: 'nearest' })
  return paragraph
}

function busy(yes) {
  send.hidden = yes
  stop.hidden = !yes
}
