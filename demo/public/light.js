const WORDS = {
  connecting: 'Connecting',
  open: 'Live',
  waiting: 'Reconnecting',
  paused: 'Paused',
  ended: 'Offline',
}

/** Shows the state of a stream, and why it is in it. */
export function showLight(light, state, reason) {
  light.dataset.state = state
  light.title = reason
  light.querySelector('[data-light-text]').textContent = WORDS[state]
}
