const WORDS = { connecting: 'Connecting', open: 'Live', closed: 'Offline' }

/** Shows the state of a stream. */
export function showLight(light, stream) {
  const show = () => {
    const { state } = stream.connection
    light.dataset.state = state
    light.querySelector('[data-light-text]').textContent = WORDS[state]
  }
  stream.addEventListener('state', show)
  show()
}
