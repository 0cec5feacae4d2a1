import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { labPaths, loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { type Outcome, Workplace } from './mesh.ts'
import { assertOneError } from './one-error.ts'

const EXPOSE = ['expose', 'grafana', '--allow-anonymous', '-y']

/** One clear error: `error: … (CODE)`, suggestions below it, nothing on stdout. */
const assertRefused = (outcome: Outcome, code: string, expectedExit: number, says?: RegExp) =>
  assertOneError(outcome, code, says, expectedExit)

describe('wrong input, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })

  after(() => {
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'something was left in the cluster')
  })

  /** Runs a command and asserts that it changed no object of the cluster. */
  function unchanged(run: () => Outcome): Outcome {
    const before = dump(workplace)
    const outcome = run()
    assert.deepEqual(difference(before, dump(workplace)), [])
    return outcome
  }

  const flags: [title: string, words: string[], code: string, says: RegExp][] = [
    ['an unknown add-on', ['expose', 'grafna'], 'ADDON_UNKNOWN', /did you mean "grafana"\?/],
    [
      'an --ingress-ip of 999.1.1.1',
      [...EXPOSE, '--ingress-ip', '999.1.1.1'],
      'ADDRESS_INVALID',
      /is not an IP address/,
    ],
    ['an empty --domain', [...EXPOSE, '--domain', ''], 'DOMAIN_INVALID', /is empty/],
    ['a --domain with a scheme', [...EXPOSE, '--domain', 'https://example.com'], 'DOMAIN_INVALID', /has a scheme/],
    ['a --domain with spaces', [...EXPOSE, '--domain', 'example .com'], 'DOMAIN_INVALID', /has spaces/],
    [
      'a --domain of 300 characters',
      [...EXPOSE, '--domain', `${'a.'.repeat(148)}test`],
      'DOMAIN_INVALID',
      /is 300 characters long/,
    ],
    ['a bare --dry-run', [...EXPOSE, '--dry-run'], 'USAGE', /none, client, server/],
    ['an unknown context', [...EXPOSE, '--context', 'nowhere'], 'CONTEXT_UNKNOWN', /known: lab/],
    [
      'a kubeconfig that does not exist',
      [...EXPOSE, '--kubeconfig', '/nowhere/config'],
      'KUBECONFIG_MISSING',
      /\/nowhere\/config/,
    ],
  ]
  for (const [title, words, code, says] of flags) {
    it(`reports ${title} as ${code} with exit code 2`, () =>
      assertRefused(workplace.telemetry(...words), code, 2, says))
  }

  it('reports a missing file in KUBECONFIG as KUBECONFIG_MISSING with exit code 1', () => {
    const environment = { KUBECONFIG: '/nowhere/config' }
    assertRefused(
      workplace.run('kubectl-telemetry', EXPOSE, { environment }),
      'KUBECONFIG_MISSING',
      1,
      /--kubeconfig FILE/,
    )
  })

  it('reports an unreachable API server as CLUSTER_UNREACHABLE with exit code 1', () => {
    const kubeconfig = join(workplace.directory, 'unreachable')
    writeFileSync(
      kubeconfig,
      readFileSync(labPaths().kubeconfig, 'utf8').replace(/https:\/\/[^\s"',}]+/, 'https://127.0.0.1:1'),
    )
    assertRefused(
      workplace.telemetry(...EXPOSE, '--kubeconfig', kubeconfig),
      'CLUSTER_UNREACHABLE',
      1,
      /127\.0\.0\.1:1.*ECONNREFUSED/,
    )
  })

  it('reports an expired client certificate as UNAUTHENTICATED with exit code 1 and the day of its expiry', () => {
    const kubeconfig = join(workplace.directory, 'expired')
    writeFileSync(kubeconfig, expiredKubeconfig())
    assertRefused(
      unchanged(() => workplace.telemetry(...EXPOSE, '--kubeconfig', kubeconfig)),
      'UNAUTHENTICATED',
      1,
      /client certificate expired on 2020-01-02/,
    )
  })

  /** The lab's kubeconfig with an expired client certificate that the lab's CA signed. */
  function expiredKubeconfig(): string {
    const pki = join(labPaths().run, 'pki')
    const at = (name: string) => join(workplace.directory, name)
    const openssl = (...words: string[]) => {
      const { exitCode, stderr } = workplace.run('openssl', words)
      assert.equal(exitCode, 0, stderr)
    }
    writeFileSync(at('index.txt'), '')
    const settings = ['[ca]', 'default_ca = lab', '[lab]', 'policy = any', 'default_md = sha256', 'rand_serial = yes']
    const places = [
      `database = ${at('index.txt')}`,
      `new_certs_dir = ${workplace.directory}`,
      `certificate = ${pki}/ca.crt`,
      `private_key = ${pki}/ca.key`,
    ]
    writeFileSync(
      at('ca.cnf'),
      [...settings, ...places, '[any]', 'organizationName = supplied', 'commonName = supplied', ''].join('\n'),
    )
    openssl(
      'req',
      '-new',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/O=system:masters/CN=admin',
      '-keyout',
      at('old.key'),
      '-out',
      at('old.csr'),
    )
    openssl(
      'ca',
      '-batch',
      '-config',
      at('ca.cnf'),
      '-startdate',
      '20200101000000Z',
      '-enddate',
      '20200102000000Z',
      '-in',
      at('old.csr'),
      '-out',
      at('old.crt'),
      '-notext',
    )
    const config = JSON.parse(workplace.kubectl('config', 'view', '--raw', '--flatten', '-o', 'json'))
    config.users[0].user = { 'client-certificate': at('old.crt'), 'client-key': at('old.key') }
    return JSON.stringify(config)
  }

  it('reports a missing Grafana as ADDON_NOT_FOUND with exit code 1', () => {
    const refused = unchanged(() => workplace.telemetry(...EXPOSE, '-n', 'kube-system'))
    assertRefused(refused, 'ADDON_NOT_FOUND', 1, /try: -n istio-system/)
  })

  it('refuses an add-on that lets anyone in: ANONYMOUS_ACCESS, exit code 1, and the flag that allows it', () => {
    const refused = unchanged(() => workplace.telemetry('expose', 'grafana', '-y'))
    assertRefused(refused, 'ANONYMOUS_ACCESS', 1, /as Admin[\s\S]*try: --allow-anonymous/)
  })

  it('refuses to change anything without consent: CONSENT_REQUIRED, exit code 1, and the flag -y', () => {
    assertRefused(
      unchanged(() => workplace.telemetry('expose', 'grafana', '--allow-anonymous')),
      'CONSENT_REQUIRED',
      1,
      /try: -y/,
    )
  })

  it('refuses to choose between two gateways: GATEWAY_AMBIGUOUS, exit code 1, and a --gateway for each', () => {
    const service = JSON.parse(
      workplace.kubectl('-n', 'istio-system', 'get', 'service', 'istio-ingressgateway', '-o', 'json'),
    )
    const second = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'second-gateway', namespace: 'istio-system' },
      spec: {
        type: 'LoadBalancer',
        selector: service.spec.selector,
        ports: [{ name: 'https', port: 443, targetPort: 8443 }],
      },
    }
    workplace.apply(second)
    try {
      const refused = unchanged(() => workplace.telemetry(...EXPOSE))
      assertRefused(
        refused,
        'GATEWAY_AMBIGUOUS',
        1,
        /--gateway istio-system\/istio-ingressgateway[\s\S]*--gateway istio-system\/second-gateway/,
      )
    } finally {
      workplace.kubectl('-n', 'istio-system', 'delete', 'service', 'second-gateway')
    }
  })

  it('reports that no gateway runs as GATEWAY_NOT_FOUND with exit code 1', () => {
    workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/istio-ingressgateway', '--replicas=0')
    try {
      workplace.kubectl(
        '-n',
        'istio-system',
        'wait',
        '--for=delete',
        'pod',
        '-l',
        'istio=ingressgateway',
        '--timeout=60s',
      )
      assertRefused(
        unchanged(() => workplace.telemetry(...EXPOSE)),
        'GATEWAY_NOT_FOUND',
        1,
        /proxy router/,
      )
    } finally {
      workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/istio-ingressgateway', '--replicas=1')
      workplace.kubectl('-n', 'istio-system', 'rollout', 'status', 'deployment/istio-ingressgateway', '--timeout=60s')
    }
  })

  it('reports verb and resource to a user who may not create Gateways: FORBIDDEN, exit code 1', () => {
    const meta = { name: 'telemetry-e2e' }
    const rules = [
      { apiGroups: [''], resources: ['services', 'pods', 'nodes', 'configmaps'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create', 'patch'] },
      { apiGroups: ['networking.istio.io'], resources: ['virtualservices'], verbs: ['list', 'create', 'patch'] },
      { apiGroups: ['networking.istio.io'], resources: ['gateways'], verbs: ['get'] },
    ]
    const group = 'rbac.authorization.k8s.io'
    workplace.apply(
      { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: meta, rules },
      {
        apiVersion: `${group}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: meta,
        roleRef: { apiGroup: group, kind: 'ClusterRole', name: meta.name },
        subjects: [{ apiGroup: group, kind: 'User', name: 'dev' }],
      },
    )
    try {
      const refused = unchanged(() => workplace.telemetry(...EXPOSE, '--as', 'dev'))
      assertRefused(
        refused,
        'FORBIDDEN',
        1,
        /User "dev" cannot (patch|create) resource "gateways" in API group "networking\.istio\.io" in the namespace "istio-system"/,
      )
    } finally {
      workplace.kubectl('delete', 'clusterrole,clusterrolebinding', meta.name)
    }
  })

  it('leaves a user’s object with the name of its own unchanged: NOT_OURS, exit code 1', () => {
    workplace.kubectl(
      '-n',
      'istio-system',
      'create',
      'secret',
      'generic',
      'kubectl-telemetry-tls',
      '--from-literal=mine=yes',
    )
    try {
      const refused = unchanged(() => workplace.telemetry(...EXPOSE))
      assertRefused(refused, 'NOT_OURS', 1, /secret\/kubectl-telemetry-tls in namespace istio-system/)
      assert.equal(
        workplace.telemetry('cleanup', '-y').stdout,
        'nothing to remove: the cluster has no exposure of kubectl telemetry\n',
      )
      assert.match(
        workplace.kubectl('-n', 'istio-system', 'get', 'secret', 'kubectl-telemetry-tls', '-o', 'yaml'),
        /mine: /,
      )
    } finally {
      workplace.kubectl('-n', 'istio-system', 'delete', 'secret', 'kubectl-telemetry-tls')
    }
  })
})
