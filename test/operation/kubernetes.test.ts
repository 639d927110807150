import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { Deployment } from 'kubernetes-models/apps/v1'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { Service } from 'kubernetes-models/v1'
import { parseAllDocuments } from 'yaml'
import { ROOT } from '../support/root.ts'

// In the order of the file: what makes and checks one, and what its types are called where.
const KINDS = [
  { Model: Deployment, from: 'apps/v1', type: 'IDeployment' },
  { Model: Service, from: 'v1', type: 'IService' },
  { Model: HorizontalPodAutoscaler, from: 'autoscaling/v2', type: 'IHorizontalPodAutoscaler' },
  { Model: PodDisruptionBudget, from: 'policy/v1', type: 'IPodDisruptionBudget' },
] as const

const text = await readFile(join(ROOT, 'docs/operation/kubernetes.yml'), 'utf8')
const manifests = parseAllDocuments(text).map(document => document.toJS())

test('each manifest has the fields that Kubernetes demands, of the types that it demands', t => {
  t.is(manifests.length, KINDS.length)
  for (const [index, { Model }] of KINDS.entries()) {
    t.notThrows(() => new Model(manifests[index]).validate())
    const { apiVersion, kind } = manifests[index]
    t.deepEqual({ apiVersion, kind }, { apiVersion: Model.apiVersion, kind: Model.kind })
  }
})

test('no manifest has a field that Kubernetes does not know', async t => {
  t.is(await complaints(manifests), '')
  const [deployment, ...others] = manifests
  const { containers, ...pod } = deployment.spec.template.spec
  const misspelt = { ...pod, terminationGracePeriodSecond: 40, containers }
  const spec = { ...deployment.spec, template: { ...deployment.spec.template, spec: misspelt } }
  t.regex(await complaints([{ ...deployment, spec }, ...others]), /terminationGracePeriodSecond/)
})

test('a pod has time for its preStop and for the drain, and what belongs together has one name', t => {
  const [deployment, service, autoscaler, budget] = manifests
  const { terminationGracePeriodSeconds, containers } = deployment.spec.template.spec
  const sleep = Number(containers[0].lifecycle.preStop.exec.command[1])
  const drain = Number(/within: ([\d_]+)/.exec(text)?.[1]?.replace('_', '')) / 1_000
  t.true(terminationGracePeriodSeconds > sleep + drain)
  const { labels } = deployment.spec.template.metadata
  for (const selector of [
    deployment.spec.selector.matchLabels,
    service.spec.selector,
    budget.spec.selector.matchLabels,
  ])
    t.deepEqual(selector, labels)
  t.is(autoscaler.spec.scaleTargetRef.name, deployment.metadata.name)
  const ports: string[] = containers[0].ports.map(({ name }: { name: string }) => name)
  for (const port of [service.spec.ports[0].targetPort, containers[0].readinessProbe.httpGet.port])
    t.true(ports.includes(port))
})

/** What the compiler says to manifests that are written down as objects: it takes no field that is not in the types. */
async function complaints(objects: readonly unknown[]): Promise<string> {
  const folder = await mkdtemp(join(ROOT, 'test/compiled/manifests-'))
  try {
    const file = join(folder, 'manifests.mts')
    const lines = KINDS.map(
      ({ from, type }, index) =>
        `import type { ${type} } from 'kubernetes-models/${from}'\nexport const m${index}: ${type} = ${JSON.stringify(objects[index])}\n`,
    )
    await writeFile(file, lines.join(''))
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--types',
      'node',
    ]
    const run = promisify(execFile)(process.execPath, [compiler, ...options, file], { cwd: ROOT })
    const { stdout } = await run.catch((error: unknown) => error as { stdout: string })
    return stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}
