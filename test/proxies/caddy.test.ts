import { caddy } from './caddy.ts'
import { scenes } from './scenes.ts'

scenes(caddy)
