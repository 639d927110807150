import { connect } from './koa-event-stream/index.js'
import { openPage } from './shell.js'

/**
 * Asks by POST, and reads the answer apart from that, by GET: so it reads on where it was cut off, and a page that is loaded
 * anew, or another tab, reads the same answers.
 */

/** What is to be said below an answer, by the event that ends it. */
const ENDINGS = {
  done: '',
  failed: 'That did not work.',
  cancelled: 'Stopped.',
  interrupted: 'The answer was interrupted.',
}

const chat = document.querySelector('[data-chat]')
const form = document.querySelector('[data-ask]')
const send = form.querySelector('[data-send]')
const stop = form.querySelector('[data-stop]')
const template = document.querySelector('#question-template')

/** The questions whose answers are under way. */
const underWay = new Set()

openPage()
for (const question of chat.querySelectorAll('[data-question]')) {
  offerAgain(question)
  follow(question)
}
form.addEventListener('submit', event => {
  event.preventDefault()
  ask(form.elements.question.value)
  form.reset()
})
stop.addEventListener('click', () => {
  // The answer says itself that it has ended, in all tabs.
  for (const question of underWay) void fetch(urlOf(question), { method: 'DELETE' })
})
for (const hint of document.querySelectorAll('[data-hint]')) {
  hint.addEventListener('click', () => ask(hint.textContent))
}

function ask(text) {
  const question = template.content.firstElementChild.cloneNode(true)
  question.dataset.question = newId()
  part(question, 'text').textContent = text
  chat.append(question)
  offerAgain(question)
  void begin(question)
}

function offerAgain(question) {
  question.querySelector('[data-again]').addEventListener('click', () => void begin(question))
}

/** The same question twice begins one answer; after one that was interrupted it begins anew. */
async function begin(question) {
  show(question, true)
  try {
    const response = await fetch(urlOf(question), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ question: part(question, 'text').textContent }),
    })
    if (response.ok) {
      void response.body.cancel()
      follow(question)
    } else if (response.status < 500) show(question, false, await response.text())
    else throw new Error(`status ${response.status}`)
  } catch {
    show(question, false, 'The question did not get through.', true)
  }
}

function follow(question) {
  const answer = part(question, 'answer')
  let isOver = false
  const end = (ending, mayAskAgain) => {
    if (isOver) return
    isOver = true
    show(question, false, ending, mayAskAgain)
    live.close()
  }
  show(question, true)
  const live = connect(urlOf(question), {
    onState(state, reason) {
      if (reason === 'status 404') end('This answer is not kept any more.', true)
      else if (state === 'ended') end(`That did not work: ${reason}.`)
    },
  })
  live.on('token', ({ text }) => {
    answer.textContent += text
    answer.scrollIntoView({ block: 'nearest' })
  })
  // What follows is the answer from its beginning.
  live.on('gap', () => (answer.textContent = ''))
  for (const [kind, ending] of Object.entries(ENDINGS)) live.on(kind, () => end(ending, kind === 'interrupted'))
}

/** Shows an answer that begins, or how one has ended. */
function show(question, isUnderWay, ending = '', mayAskAgain = false) {
  const line = part(question, 'ending')
  if (isUnderWay) part(question, 'answer').textContent = ''
  line.textContent = ending
  line.hidden = ending === ''
  question.querySelector('[data-again]').hidden = !mayAskAgain
  question.querySelector('.theirs').toggleAttribute('data-done', !isUnderWay)
  if (isUnderWay) underWay.add(question)
  else underWay.delete(question)
  send.hidden = underWay.size > 0
  stop.hidden = underWay.size === 0
  question.scrollIntoView({ block: 'nearest' })
}

function part(question, name) {
  return question.querySelector(`[data-field="${name}"]`)
}

function urlOf({ dataset }) {
  return `/assistant/answers/${encodeURIComponent(dataset.question)}`
}

/** `crypto.randomUUID()` is there over HTTPS, and on localhost, alone. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}
