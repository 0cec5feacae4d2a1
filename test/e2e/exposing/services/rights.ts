/** Users with exactly the rights of the row of docs/rbac.md about `expose svc/NAME`, and with one less. */
import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'mocha'
import { loadBalancer } from '../../../lab/lab.ts'
import { BOOKINFO } from '../../bookinfo.ts'
import { difference, dump } from '../../dump.ts'
import type { Workplace } from '../../mesh.ts'
import { assertOneError } from '../../one-error.ts'
import { type Rule, rule, telemetryWith, without } from '../../rights.ts'

const EXPOSE = ['expose', 'svc/productpage', '-n', BOOKINFO, '--path', '/productpage', '--allow-anonymous', '-y']
const NETWORKING = 'networking.istio.io'
/** `expose`, without what is optional: in the cluster, and in the namespace of the gateway. */
const CLUSTER = [rule('', 'services', 'list')]
const INSIDE = [
  rule('', 'pods', 'list'),
  rule('', 'secrets', 'get create patch'),
  rule(NETWORKING, 'gateways', 'get create patch'),
  rule(NETWORKING, 'virtualservices', 'get create patch list'),
]
/** Also for `--port`. */
const PORT = rule('', 'services', 'get patch')
const GUARDS = [
  rule('security.istio.io', 'authorizationpolicies', 'list create patch'),
  rule(NETWORKING, 'envoyfilters', 'list'),
]

export const rights = (workplace: Workplace) =>
  describe('the rights of expose svc/NAME in docs/rbac.md', () => {
    let untouched: Map<string, string>

    before(async () => {
      await loadBalancer('on')
      untouched = dump(workplace)
    })
    afterEach(() => {
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })

    const as = (cluster: Rule[], inside: Rule[], ...words: string[]) =>
      telemetryWith({ cluster, inside, namespace: 'istio-system' }, workplace, ...EXPOSE, ...words)

    it('a first exposure without a guard needs these, and nothing else: pods of the Service are optional', () => {
      const { stdout, stderr, exitCode } = as(CLUSTER, INSIDE)
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /^svc\/productpage +bookinfo\/productpage +\S+ +200 /m)
    })

    it('changes nothing without one of them', () => {
      assertOneError(as([], INSIDE), 'FORBIDDEN', /list services/)
      for (const [index, says] of [/list pods/, /secret/, /gateway/, /virtualservices/].entries())
        assertOneError(as(CLUSTER, without(INSIDE, index)), 'FORBIDDEN', says)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })

    it('--port needs to change the Service of the gateway, too', () => {
      const port = ['--port', '666']
      assertOneError(as(CLUSTER, INSIDE, ...port), 'FORBIDDEN', /service/)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
      const { stderr, exitCode } = as(CLUSTER, [...INSIDE, PORT], ...port)
      assert.equal(exitCode, 0, stderr)
    })

    it('beside an exposure with an allow list it needs the rights for the guards, because that list gets the new host', () => {
      const exposed = workplace.telemetry('expose', 'grafana', '--allow-cidr', '192.0.2.0/24', '-y')
      assert.equal(exposed.exitCode, 0, exposed.stderr)
      const before = dump(workplace)
      for (const rule of GUARDS)
        assertOneError(as(CLUSTER, [...INSIDE, ...GUARDS.filter((one) => one !== rule)]), 'GUARDS_UNREADABLE')
      const readOnly = [rule('security.istio.io', 'authorizationpolicies', 'list'), GUARDS[1] as Rule]
      assertOneError(as(CLUSTER, [...INSIDE, ...readOnly]), 'FORBIDDEN', /authorizationpolicies/)
      assert.deepEqual(difference(before, dump(workplace)), [])
      const { stdout, stderr, exitCode } = as(CLUSTER, [...INSIDE, ...GUARDS])
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /^authorizationpolicy\.security\.istio\.io\/kubectl-telemetry-grafana configured$/m)
    })
  })
