/** Shared by tests in which somebody else created objects that look like those of exposing. */
import type { KubeObject } from '../../src/cluster/cluster.ts'

/** As reflectors and `kubectl get -o yaml | sed` copy an object: with its labels. */
export function copied(object: KubeObject, namespace: string, manager = 'kubectl-create'): KubeObject {
  const { apiVersion: _a, kind: _k, metadata, ...content } = object
  const managedFields = [{ manager, operation: 'Update', fieldsV1: { 'f:spec': {} } }]
  return {
    ...{ apiVersion: object.apiVersion, kind: object.kind, ...content },
    metadata: { ...metadata, namespace, uid: `copy-${metadata.uid}`, managedFields },
  }
}

/** With the name of our field manager, which anybody can use. */
export function claimed(object: KubeObject, namespace: string): KubeObject {
  const copy = copied(object, namespace)
  const managedFields = [{ manager: 'istio-telemetry-exposing', operation: 'Apply', fieldsV1: { 'f:spec': {} } }]
  return { ...copy, metadata: { ...copy.metadata, managedFields } }
}
