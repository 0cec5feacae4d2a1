import { readFileSync } from 'node:fs'
import { strangersCertificate } from './src/certificates/stranger.ts'
import { proveScraping, askWithCertificate } from './src/operations/prove-scraping.ts'
import { randomBytes, generateKeyPairSync } from 'node:crypto'
import { KubeCluster } from './src/cluster/kube-cluster.ts'
import { surveyPrometheus } from './src/operations/survey-prometheus.ts'
import { planPrometheus, applyPrometheus, restoreEdited } from './src/operations/change-prometheus.ts'
import { awaitTargets, securePods } from './src/operations/await-targets.ts'
import { rehearse, applyChanges } from './src/operations/changes.ts'
import { Progress } from './src/operations/progress.ts'
import { PODS } from './src/cluster/resources.ts'
const t0 = Date.now()
const cluster = new KubeCluster({ environment: process.env } as never, { impersonate: { groups: [] }, timeout: 20000, environment: process.env, trace: process.env.V ? (l: string) => console.log(l) : undefined } as never)
const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((r) => setTimeout(r, ms)) }
const [verb, ...rest] = process.argv.slice(2)
try {
  if (verb === 'plan' || verb === 'apply') {
    const plan = planPrometheus(await surveyPrometheus(rest[0], cluster))
    await rehearse(cluster, plan.changes)
    console.log(plan.changes.map((c) => [c.resource.kind, c.action]), plan.warnings, plan.job, plan.restarts)
    if (verb === 'apply') console.log(await applyPrometheus(cluster, plan, new Progress()))
  }
  if (verb === 'restore') await restoreEdited(cluster, new Progress())
  if (verb === 'wait') {
    const { found } = await surveyPrometheus(undefined, cluster)
    const report = await awaitTargets({ found, expected: () => securePods(cluster), timeout: Number(process.env.T ?? 40000), tell: (r, e) => { if (process.env.LOUD || r.up === r.total) console.log(r.up, r.total, e, JSON.stringify(r.pods)) } }, { cluster, clock })
    console.log(report.jobs.map((j) => `${j.name} ${j.up}/${j.total}`).join(', ')); console.log(JSON.stringify(report.pods))
  }
  if (verb === 'prove') {
    const timers = { now: () => performance.now(), after: (ms: number, act: () => void) => { const t = setTimeout(act, ms); return () => clearTimeout(t) } }
    const pods = (await securePods(cluster)).map((pod) => ({ pod, servedBy: 'own listener' as const }))
    const stranger = await strangersCertificate('spiffe://cluster.local/ns/x/sa/y', { now: new Date(), random: randomBytes, generateKey: async () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() })
 console.log(await askWithCertificate(pods[0]!.pod, stranger, {cluster, timers})); if (rest[0]) console.log('control', await askWithCertificate(pods[0]!.pod, {certificate: readFileSync(rest[0]+'/cert-chain.pem','utf8'), key: readFileSync(rest[0]+'/key.pem','utf8')}, {cluster, timers}))
    console.log(JSON.stringify(await proveScraping(pods, { cluster, clock, random: randomBytes, generateKey: async () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), timers }), null, 1))
  }
  if (verb === 'ask') console.log(await cluster.askPod({ namespace: rest[0]!, name: rest[1]! }, { scheme: rest[2] as never, port: Number(rest[3]), path: rest[4]!, timeout: 8000 }).then((a) => JSON.stringify(a).slice(0, 300)))
} catch (e) { console.log(e) } finally { await cluster.close(); console.log(Date.now() - t0, 'ms') }
