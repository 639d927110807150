import { writeFile } from 'node:fs/promises'
import { bundleClient } from './client-bundle.ts'

for (const { name, code, map } of await bundleClient()) {
  await writeFile(`dist/client/${name}`, code)
  await writeFile(`dist/client/${name}.map`, map)
}
