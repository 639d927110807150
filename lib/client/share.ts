/** Loaded only by pages that share a connection between tabs: a file of its own. */
export { createSharedConnection } from './share/shared-connection.ts'
