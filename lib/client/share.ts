/** What a page loads that shares its connection with other tabs: a file of its own, since others do not. */
export { createSharedConnection } from './share/shared-connection.ts'
