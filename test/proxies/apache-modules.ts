import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where an Apache has its modules: Debian's, Fedora's, Homebrew's. */
export function apacheModules(programs: string): string {
  const places = ['../lib/apache2/modules', '../lib64/httpd/modules', '../lib/httpd/modules'].map(place =>
    join(programs, place),
  )
  const found = places.find(place => existsSync(place))
  if (found === undefined) throw new Error(`the modules of Apache are in none of ${places.join(', ')}`)
  return found
}
