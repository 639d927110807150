import { httpProxy3, nodeHttpProxy } from './node-http-proxy.ts'
import { scenes } from './scenes.ts'

scenes(nodeHttpProxy)
scenes(httpProxy3)
