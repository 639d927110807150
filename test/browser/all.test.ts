/** The tests in a browser stand in files of their own, and run in one process, since they share one Chromium. */
import './wire.ts'
import './status.ts'
import './logout.ts'
import './restart.ts'
import './answers.ts'
import './origins.ts'
