/**
 * Pure: names of what is exposed. An add-on has its name in the catalogue; a Service is `NAME.NAMESPACE`, as its host begins. No add-on has
 * a dot in its name, and neither has a Service or a namespace.
 */
import type { ObjectName } from '../cluster/cluster.ts'
import { usageError } from '../errors.ts'
import { ADDON_NAMES } from './catalog.ts'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** Names are values of a label: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const LONGEST = 63

/** @throws UserError SERVICE_NAME_LONG (exit 2) */
export function nameOfService({ name, namespace }: Required<ObjectName>): string {
  const exposed = `${name}.${namespace}`
  if (exposed.length <= LONGEST) return exposed
  throw usageError(
    'SERVICE_NAME_LONG',
    `the name of svc/${name} and its namespace ${namespace} have ${exposed.length - 1} characters together; at most ${LONGEST - 1} fit`,
    ['another Service with a shorter name, with the same selector and ports'],
  )
}

/** The Service of a name; `undefined` for the name of an add-on, and for any other text. */
export function serviceNamed(exposed: string): Required<ObjectName> | undefined {
  const [name = '', namespace = '', more] = exposed.split('.')
  const isOne = more === undefined && exposed.length <= LONGEST && LABEL.test(name) && LABEL.test(namespace)
  return isOne ? { name, namespace } : undefined
}

/** Whether something can be exposed under this name: an add-on of the catalogue, or a Service. */
export function isExposable(name: string): boolean {
  return ADDON_NAMES.includes(name) || serviceNamed(name) !== undefined
}

/** As users name it: `grafana`, `svc/productpage`. */
export function titleOf(exposed: string): string {
  const service = serviceNamed(exposed)
  return service === undefined ? exposed : `svc/${service.name}`
}

/** Arguments of a command about it: `grafana`, `svc/productpage -n bookinfo`. */
export function argumentsFor(exposed: string): string[] {
  const service = serviceNamed(exposed)
  return service === undefined ? [exposed] : [titleOf(exposed), '-n', service.namespace]
}
