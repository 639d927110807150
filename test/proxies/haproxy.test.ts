import { haproxy } from './haproxy.ts'
import { scenes } from './scenes.ts'

scenes(haproxy)
