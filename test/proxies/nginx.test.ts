import { nginx } from './nginx.ts'
import { scenes } from './scenes.ts'

scenes(nginx)
