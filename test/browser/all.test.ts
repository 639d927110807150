/** The tests in a browser stand in files of their own, and run in one process, since they share one Chromium. */
import './answers.ts'
import './demo.ts'
import './logout.ts'
import './origins.ts'
import './restart.ts'
import './status.ts'
import './tickets.ts'
import './wire.ts'
