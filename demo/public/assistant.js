import { EventSourceParserStream } from './eventsource-parser/stream.js'
import './shell.js'

/** Asks by POST, which an EventSource cannot, and reads the answer's stream word by word. */

const chat = document.querySelector('[data-chat]')
const form = document.querySelector('[data-ask]')
const send = form.querySelector('[data-send]')
const stop = form.querySelector('[data-stop]')

let asking = new AbortController()

form.addEventListener('submit', event => {
  event.preventDefault()
  void ask(form.elements.question.value)
  form.reset()
})
stop.addEventListener('click', () => asking.abort())
for (const hint of document.querySelectorAll('[data-hint]')) {
  hint.addEventListener('click', () => void ask(hint.textContent))
}

async function ask(question) {
  asking.abort()
  const current = (asking = new AbortController())
  turn('ours', question)
  const text = turn('theirs', '')
  busy(true)
  try {
    for await (const word of answerTo(question, current.signal)) {
      text.textContent += word
      text.scrollIntoView({ block: 'nearest' })
    }
  } catch (error) {
    text.textContent += current.signal.aborted ? ' … (stopped)' : `That did not work: ${error.message}`
  }
  text.parentElement.dataset.done = ''
  if (current === asking) busy(false)
}

async function* answerTo(question, signal) {
  const response = await fetch('/assistant/answers', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({ question }),
    signal,
  })
  if (response.status === 401) location.assign('/login?ended')
  if (!response.ok) throw new Error(await response.text())
  const reader = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    if (value.event === 'done') return
    if (value.event === 'token') yield JSON.parse(value.data).text
  }
  throw new Error('the answer broke off')
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
