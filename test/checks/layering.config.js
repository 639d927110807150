/**
 * The direction of imports in lib: wire → stream → compression → hub → koa → index, with auth and broker as siblings above wire, and
 * bridge above broker.
 * A room is a folder; it may import its own files, those named here, and Node's own modules.
 */
const BASE = [
  'errors',
  'redaction',
  'safe-error',
  'topic',
  'clock',
  'deadline',
  'application',
  'options',
  'diagnostics',
]
const ROOMS = {
  wire: ['errors', 'topic', 'application', 'options'],
  stream: ['wire/.+', ...BASE, 'auth/identity'],
  auth: ['errors', 'safe-error', 'clock', 'application', 'options'],
  broker: ['wire/.+', ...BASE],
  bridge: ['wire/.+', 'broker/.+', ...BASE],
  compression: ['wire/chunk', 'stream/sink'],
  hub: [
    'compression/.+',
    'stream/.+',
    'wire/.+',
    'auth/(identity|authenticator)',
    'broker/(broker|event-log|key-value-store|lease-store|roster)',
    ...BASE,
  ],
  client: ['wire/.+', 'stream/close-reason'],
  testing: [
    'create-hub',
    'hub/(hub|lifecycle)',
    'koa/(middleware|require-identity|test-door|test-login)',
    'stream/event-stream',
    'broker/(broker|event-log|history-policy|lease-store|roster)',
    'auth/(identity|authenticator|authentication-error)',
    'client/(parser|own-event)',
    'wire/.+',
    ...BASE,
  ],
  cli: ['client/(index|parser)'],
  relay: [
    'hub/(hub|engine|registry|fan-out)',
    'koa/(middleware|options|require-identity|door-config|route-config|response)',
    'broker/(key-value-store|lease-store)',
    'auth/identity',
    'stream/event-stream',
    'wire/.+',
    ...BASE,
  ],
  metrics: ['hub/(hub|lifecycle)', 'wire/notices', ...BASE],
  ops: [
    'hub/(hub|engine|lifecycle|inspection)',
    'koa/(middleware|options|require-identity|permission|door-config|json-answer|json-body|request-secrets|response)',
    'auth/(identity|authenticator)',
    'stream/event-stream',
    'wire/(event|frame)',
    ...BASE,
  ],
  tracing: ['hub/hub', ...BASE],
  koa: ['hub/.+', 'compression/cohorts', 'stream/.+', 'wire/.+', 'auth/.+', 'broker/.+', ...BASE],
}

// The door of a subpath, which hands on what stands above its room.
const DOORS = '^lib/broker/redis/index\\.ts$'

const rooms = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `${room}-imports`,
  comment: `lib/${room} may import ${allowed.join(', ')} and itself`,
  severity: 'error',
  from: { path: `^lib/${room}/`, pathNot: DOORS },
  to: { path: '^lib/', pathNot: `^lib/(${room}/.+|${allowed.join('|')})\\.ts$` },
}))

const base = {
  name: 'base-imports',
  comment: 'what every room stands on imports nothing but its like',
  severity: 'error',
  from: { path: `^lib/(${BASE.join('|')})\\.ts$` },
  to: { path: '^lib/', pathNot: `^lib/(${BASE.join('|')})\\.ts$` },
}

// Folders of `auth` stand on what is at its top, and on each other only as said here.
const LOGINS = { jwt: ['keys'], keys: [], session: [], ticket: [] }

const logins = Object.entries(LOGINS).map(([login, allowed]) => ({
  name: `auth-${login}-imports`,
  comment: 'the ways to log in are independent of each other',
  severity: 'error',
  from: { path: `^lib/auth/${login}/` },
  to: { path: '^lib/auth/[^/]+/', pathNot: `^lib/auth/(${[login, ...allowed].join('|')})/` },
}))

const packages = [
  {
    name: 'auth-top-stands-alone',
    comment: 'what all ways to log in share knows none of them',
    severity: 'error',
    from: { path: '^lib/auth/[^/]+\\.ts$' },
    to: { path: '^lib/auth/[^/]+/' },
  },
  {
    name: 'identity-is-a-type',
    comment: 'below koa, what is known of authentication is types',
    severity: 'error',
    from: { path: '^lib/(stream|hub)/' },
    to: { path: '^lib/auth/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'koa-is-a-type',
    comment: 'applications bring their own Koa, 2 or 3',
    severity: 'error',
    from: { path: '^lib/' },
    to: { path: '(^|/)node_modules/(@types/)?koa/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'jsonwebtoken-in-auth',
    comment: 'the one package needed at run time, needed in one room',
    severity: 'error',
    from: { path: '^lib/', pathNot: '^lib/auth/jwt/' },
    to: { path: '(^|/)node_modules/(@types/)?jsonwebtoken/' },
  },
  {
    name: 'ioredis-in-redis',
    comment: 'applications of one process do not have it',
    severity: 'error',
    from: { path: '^lib/', pathNot: '^lib/(broker/redis|bridge)/' },
    to: { path: '(^|/)node_modules/ioredis/|^lib/(broker/redis|bridge)/' },
  },
  {
    name: 'prom-client-in-metrics',
    comment: 'applications without Prometheus do not have it',
    severity: 'error',
    from: { path: '^lib/', pathNot: '^lib/metrics/' },
    to: { path: '(^|/)node_modules/prom-client/|^lib/metrics/' },
  },
  {
    name: 'opentelemetry-in-tracing',
    comment: 'applications without it do not have it',
    severity: 'error',
    from: { path: '^lib/', pathNot: '^lib/tracing/' },
    to: { path: '(^|/)node_modules/@opentelemetry/|^lib/tracing/' },
  },
  {
    name: 'client-alone',
    comment: 'pages load it: what it needs of others is types, and it needs nothing of Node',
    severity: 'error',
    from: { path: '^lib/client/' },
    to: { pathNot: '^lib/client/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'share-apart',
    comment: 'a file of its own, loaded by pages that share: what it needs of the others at run time is in it twice',
    severity: 'error',
    from: { path: '^lib/client/share/' },
    to: { path: '^lib/client/', pathNot: '^lib/client/(share/|position\\.ts$)', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'engines-apart',
    comment: 'what any remote engine needs knows none of them, and does no I/O',
    severity: 'error',
    from: { path: '^lib/broker/replica/' },
    to: { path: '^lib/broker/(redis|memory)/|^(node:)?(net|http|https|crypto|timers|fs|events)(/|$)' },
  },
  {
    name: 'memory-alone',
    severity: 'error',
    from: { path: '^lib/broker/memory/' },
    to: { path: '^lib/broker/(redis|replica)/' },
  },
  {
    name: 'no-other-package',
    comment:
      'lib needs jsonwebtoken, the types of Koa, and Node; the engine on Redis needs ioredis, metrics prom-client, traces OpenTelemetry',
    severity: 'error',
    from: { path: '^lib/' },
    to: {
      dependencyTypesNot: ['local', 'localmodule', 'core'],
      pathNot: '(^|/)node_modules/((@types/)?(koa|jsonwebtoken)|ioredis|prom-client|@opentelemetry/api)/',
    },
  },
  {
    name: 'lib-stays-in-lib',
    severity: 'error',
    from: { path: '^lib/' },
    to: { path: '^(test|demo|dist)/' },
  },
]

const shape = [
  { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'no-orphan',
    comment: 'nothing leads here: dead code',
    severity: 'error',
    from: { orphan: true },
    to: {},
  },
  { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
]

export default {
  forbidden: [...rooms, base, ...logins, ...packages, ...shape],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
