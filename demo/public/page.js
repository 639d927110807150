import { openPage } from './shell.js'

/** A page where nothing of its own moves. */
openPage()
