import { apache } from './apache.ts'
import { scenes } from './scenes.ts'

scenes(apache)
