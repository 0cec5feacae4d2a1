import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { ownObjects } from '../plugin-runs.ts'

const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y']
const NAME = 'telemetry-e2e.example.com'
const GROUP = 'admissionregistration.k8s.io'
const RULE = {
  apiGroups: ['networking.istio.io'],
  apiVersions: ['*'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['gateways'],
}
const ROUTES = ['grafana', 'kiali', 'prometheus', 'tracing'].map(
  (addon) => `virtualservice.networking.istio.io/kubectl-telemetry-${addon}`,
)
const BEFORE_GATEWAY = [...ROUTES, 'secret/kubectl-telemetry-tls']

/** Rejects every Gateway for which the expression (CEL) is false. */
function policy(expression: string): object[] {
  const metadata = { name: NAME }
  const message = 'Gateways are the platform team’s'
  return [
    {
      apiVersion: `${GROUP}/v1`,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: { matchConstraints: { resourceRules: [RULE] }, validations: [{ expression, message }] },
    },
    {
      apiVersion: `${GROUP}/v1`,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: NAME, validationActions: ['Deny'] },
    },
  ]
}

/** A policy engine that is down: its server does not exist, and without its answer every request is rejected. */
function webhook(): object {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [
      {
        name: NAME,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        timeoutSeconds: 2,
        clientConfig: { url: 'https://127.0.0.1:1/validate' },
        rules: [RULE],
      },
    ],
  }
}

describe('expose all when admission rejects the Gateway, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    const kinds = [
      'validatingadmissionpolicies',
      'validatingadmissionpolicybindings',
      'validatingwebhookconfigurations',
    ]
    workplace.kubectl('delete', kinds.map((kind) => `${kind}.${GROUP}`).join(','), NAME, '--ignore-not-found')
    const { stderr, exitCode } = workplace.telemetry('cleanup', '-y')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'a plain cleanup left something')
  })
  after(() => workplace.end())

  /** Waits until the API server enforces a new rule. */
  async function awaitEnforcement(dryRun: boolean): Promise<void> {
    const probe = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'probe', namespace: 'istio-system' },
      spec: { servers: [{ port: { number: 8999, name: 'probe', protocol: 'HTTP' }, hosts: ['probe.example.com'] }] },
    }
    const words = ['create', ...(dryRun ? ['--dry-run=server'] : []), '-f', '-']
    for (let attempt = 0; attempt < 50; attempt++) {
      if (workplace.run('kubectl', words, { input: JSON.stringify(probe) }).exitCode !== 0) return
      if (!dryRun) workplace.kubectl('-n', 'istio-system', 'delete', 'gateways.networking.istio.io', 'probe')
      await sleep(200)
    }
    assert.fail('the rule is not in force after 10 seconds')
  }

  it('reports the message of a ValidatingAdmissionPolicy as REJECTED, and changes nothing', async () => {
    workplace.apply(...policy('false'))
    await awaitEnforcement(true)
    const before = dump(workplace)
    const outcome = workplace.telemetry(...EXPOSE)
    assertOneError(outcome, 'REJECTED', /gateway\S*\/kubectl-telemetry[\s\S]*Gateways are the platform team’s/)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('reports the name of a webhook that is down as SERVER_FAILED, and changes nothing', async () => {
    workplace.apply(webhook())
    await awaitEnforcement(true)
    const before = dump(workplace)
    const outcome = workplace.telemetry(...EXPOSE)
    assertOneError(outcome, 'SERVER_FAILED', new RegExp(`failed calling webhook.*${NAME}`))
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('lists the changed objects and the command that removes them, when a policy accepts only dry runs', async () => {
    workplace.apply(...policy('request.dryRun'))
    await awaitEnforcement(false)
    const outcome = workplace.telemetry(...EXPOSE)
    assertOneError(outcome, 'REJECTED', new RegExp(`; changed before that: ${BEFORE_GATEWAY.join(', ')} \\(`))
    assert.match(outcome.stderr, /^ {2}try: kubectl telemetry cleanup/m)
    assert.deepEqual(ownObjects(workplace), [...BEFORE_GATEWAY].sort())
  })
})
