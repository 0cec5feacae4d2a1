/** A tenant who works against the administrator: may edit one namespace, and Istio's objects in it. */
import assert from 'node:assert/strict'
import type { Workplace } from './mesh.ts'

export class HostileTenant {
  readonly namespace: string
  /** The name for `--as`. */
  readonly user: string
  readonly #workplace: Workplace

  /** Creates the namespace and the permissions. */
  constructor(workplace: Workplace, namespace: string) {
    this.namespace = namespace
    this.user = `system:serviceaccount:${namespace}:tenant`
    this.#workplace = workplace
    const kubectl = (...words: string[]) => workplace.kubectl('-n', namespace, 'create', ...words)
    const account = `--serviceaccount=${namespace}:tenant`
    const kinds = ['gateways', 'virtualservices', 'envoyfilters'].map((kind) => `${kind}.networking.istio.io`)
    workplace.kubectl('create', 'namespace', namespace)
    kubectl('serviceaccount', 'tenant')
    kubectl('role', 'istio', '--verb=*', `--resource=${kinds}`, '--resource=authorizationpolicies.security.istio.io')
    kubectl('rolebinding', 'istio', '--role=istio', account)
    kubectl('rolebinding', 'edit', '--clusterrole=edit', account)
  }

  /** Applies objects as that user, and as our field manager: anybody can use its name. */
  plant(...items: object[]): void {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    const words = ['apply', '--server-side', '--force-conflicts', '--field-manager=istio-telemetry-exposing', '-f', '-']
    const { stderr, exitCode } = this.#workplace.run('kubectl', ['--as', this.user, ...words], { input })
    assert.equal(exitCode, 0, stderr)
  }

  /** Deletes the namespace. */
  remove(): void {
    this.#workplace.kubectl('delete', 'namespace', this.namespace)
  }
}
