/** A small cluster in memory: server-side apply with field managers, resource versions, label selectors, and faults on demand. */
import { isDeepStrictEqual } from 'node:util'
import type {
  Access,
  ApplyOptions,
  Cluster,
  Command,
  KubeObject,
  ListOptions,
  ObjectName,
  PodAnswer,
  PodRequest,
  Resource,
  Upgraded,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../../src/cluster/cluster.ts'
import { isOwned } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { copied } from './copied.ts'
import { applied } from './server-side-apply.ts'

type Verb = 'list' | 'get' | 'apply' | 'replace' | 'delete'

/** A write request. */
export interface Write {
  verb: 'apply' | 'replace' | 'delete'
  object: string
}

export class FakeCluster implements Cluster {
  readonly context: string = 'fake'
  readonly namespace = 'default'
  readonly server: string = 'https://fake.example:6443'
  verifiedBy = 'sha256:fake'
  readonly objects: KubeObject[]
  readonly writes: Write[] = []
  /** `list pods`, `get secrets`, `versions networking.istio.io`: each read, in order. */
  readonly reads: string[] = []
  /** API groups and their versions. */
  groups: Record<string, string[]> = { 'networking.istio.io': ['v1', 'v1beta1', 'v1alpha3'] }
  /** The answer of SubjectAccessReviews. */
  secretsReadable: boolean | undefined = true
  /** Milliseconds by which the API server's clock is ahead of the fake clock. */
  clockAhead: number | undefined = 0
  closed = false
  #version = 100
  /** Runs once directly after the next write, for changes by other clients. */
  afterNextWrite: ((objects: KubeObject[]) => void) | undefined
  readonly #faults: { verb: Verb; plural: string; dryRun: boolean | undefined; error: Error; once?: boolean }[] = []

  constructor(objects: KubeObject[]) {
    this.objects = objects.map((object) => this.#stamp(withTemplateCounter(undefined, copied(object))))
  }

  /** Every further request of this kind fails. */
  fail(verb: Verb, plural: string, error: Error, dryRun?: boolean): void {
    this.#faults.push({ verb, plural, dryRun, error })
  }

  /** Only the next request of this kind fails. @param dryRun by default dry runs do not count */
  failOnce(verb: Verb, plural: string, error: Error, dryRun = false): void {
    this.#faults.push({ verb, plural, dryRun, error, once: true })
  }

  async servedVersions(group: string): Promise<string[]> {
    this.reads.push(`versions ${group}`)
    return this.groups[group] ?? []
  }

  /** Those of the present objects. Undefined: an aggregated API does not answer. */
  kindsKnown = true

  async namespacedKinds(): Promise<Resource[] | undefined> {
    this.reads.push('kinds')
    const kinds = this.objects
      .filter(({ metadata }) => metadata.namespace !== undefined)
      .map(({ apiVersion, kind }) => {
        const [group = '', version = group] = apiVersion.split('/')
        return { group: group === version ? '' : group, version, plural: `${kind.toLowerCase()}s`, kind }
      })
    return this.kindsKnown ? [...new Map(kinds.map((one) => [JSON.stringify(one), one])).values()] : undefined
  }

  async list<T extends KubeObject>(
    resource: Resource,
    { namespace, labels, fields, metadataOnly }: ListOptions = {},
  ): Promise<T[]> {
    this.#check('list', resource)
    const { group, version, plural } = resource
    if (group === 'networking.istio.io' && !this.groups[group]?.includes(version))
      throw new UserError('NOT_FOUND', `cannot list ${plural}: the server could not find the requested resource`)
    return this.objects
      .filter((object) => object.kind === resource.kind)
      .filter((object) => namespace === undefined || object.metadata.namespace === namespace)
      .filter((object) => selects(labels ?? '', object.metadata.labels ?? {}))
      .filter((object) => hasFields(object, fields ?? ''))
      .map(({ apiVersion, kind, metadata, ...rest }) =>
        copied(metadataOnly ? { apiVersion, kind, metadata } : { apiVersion, kind, metadata, ...rest }),
      ) as T[]
  }

  async get<T extends KubeObject>(resource: Resource, name: ObjectName): Promise<T | undefined> {
    this.#check('get', resource)
    return copied(this.#find(resource, name)) as T | undefined
  }

  async apply<T extends KubeObject>(
    resource: Resource,
    wanted: KubeObject,
    { dryRun = false, manager, force }: ApplyOptions,
  ): Promise<T> {
    this.#check('apply', resource, dryRun)
    const present = this.#find(resource, wanted.metadata)
    const manifest = onlyFor(present, wanted)
    const hasManagers = present !== undefined && (!isOwned(present) || present.metadata.managedFields !== undefined)
    const after = withTemplateCounter(
      present,
      hasManagers ? applied(present, manifest, manager, force) : merge(present, manifest),
    )
    const same = present !== undefined && isDeepStrictEqual(present, after)
    // Like the API server: an apply without changes keeps the resource version.
    const stamped = same ? after : this.#stamp(after, dryRun)
    if (!dryRun && !same) {
      this.writes.push({ verb: 'apply', object: nameOf(manifest) })
      if (present !== undefined) this.objects.splice(this.objects.indexOf(present), 1)
      this.objects.push(stamped)
      this.#runAfterWrite()
    }
    return copied(stamped) as T
  }

  async replace<T extends KubeObject>(resource: Resource, object: T, { dryRun = false }: WriteOptions): Promise<T> {
    this.#check('replace', resource, dryRun)
    const present = this.#find(resource, object.metadata)
    if (present?.metadata.resourceVersion !== object.metadata.resourceVersion)
      throw new UserError('CONFLICT', `${object.metadata.name} has changed`)
    const stamped = this.#stamp(withTemplateCounter(present, copied(object)))
    if (!dryRun && present !== undefined) {
      this.objects.splice(this.objects.indexOf(present), 1, stamped)
      this.writes.push({ verb: 'replace', object: nameOf(object) })
      this.#runAfterWrite()
    }
    return copied(stamped) as T
  }

  async setManagedFields(resource: Resource, object: KubeObject, managedFields: unknown[]): Promise<void> {
    const present = this.#find(resource, object.metadata)
    if (present === undefined || present.metadata.resourceVersion !== object.metadata.resourceVersion)
      throw new UserError('CONFLICT', `${object.metadata.name} has changed`)
    const { metadata, ...rest } = present
    this.objects.splice(
      this.objects.indexOf(present),
      1,
      this.#stamp({ ...rest, metadata: { ...metadata, managedFields } } as KubeObject),
    )
    this.writes.push({ verb: 'replace', object: nameOf(object) })
  }

  async delete(resource: Resource, object: KubeObject, { dryRun = false } = {}): Promise<'deleted' | 'gone'> {
    this.#check('delete', resource, dryRun)
    const present = this.#find(resource, object.metadata)
    if (present === undefined || present.metadata.uid !== object.metadata.uid) return 'gone'
    if (!dryRun) {
      this.objects.splice(this.objects.indexOf(present), 1)
      this.writes.push({ verb: 'delete', object: nameOf(present) })
      this.#runAfterWrite()
    }
    return 'deleted'
  }

  // biome-ignore lint/correctness/useYield: nothing happens here
  async *watch<T extends KubeObject>(_resource: Resource, _options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    throw new Error('the fake cluster has no watches')
  }

  async connect(): Promise<void> {}

  async portForward(_pod: Required<ObjectName>): Promise<Upgraded> {
    throw new Error('the fake cluster has no running pods')
  }

  /** The connection to a container in which a program runs: fake-container.ts has its other end. */
  programs: (pod: ObjectName, command: Command) => Upgraded = () => {
    throw new Error('the fake cluster has no running pods')
  }

  async exec(pod: Required<ObjectName>, command: Command): Promise<Upgraded> {
    this.reads.push(`exec ${pod.name} ${command.container} ${command.argv[0]}`)
    return this.programs(pod, command)
  }

  /** Answers of pods to the API server's proxy. */
  podAnswers: (pod: ObjectName, request: PodRequest) => PodAnswer = () => ({ failed: 'connection refused' })

  async askPod(pod: Required<ObjectName>, request: PodRequest): Promise<PodAnswer> {
    return this.podAnswers(pod, request)
  }

  /** The ends of logs, by pod and container: `web-1 app`. */
  readonly logs = new Map<string, string>()

  async readLog({ name }: ObjectName, { container }: { container: string }): Promise<string> {
    this.reads.push(`log ${name} ${container}`)
    return this.logs.get(`${name} ${container}`) ?? ''
  }

  async mayAccess({ user }: Access): Promise<boolean | undefined> {
    this.reads.push(`access of ${user.split(':').at(-1)}`)
    return this.secretsReadable
  }

  reconnect(): void {}

  async close(): Promise<void> {
    this.closed = true
  }

  #runAfterWrite(): void {
    const act = this.afterNextWrite
    this.afterNextWrite = undefined
    act?.(this.objects)
  }

  #find(resource: Resource, { name, namespace }: ObjectName): KubeObject | undefined {
    return this.objects.find(
      ({ kind, metadata }) => kind === resource.kind && metadata.name === name && metadata.namespace === namespace,
    )
  }

  /** A dry run uses no version up. */
  #stamp(object: KubeObject, dryRun = false): KubeObject {
    const version = String(this.#version + 1)
    if (!dryRun) this.#version++
    return { ...object, metadata: { uid: `uid-${version}`, ...object.metadata, resourceVersion: version } }
  }

  #check(verb: Verb, { plural }: Resource, dryRun?: boolean): void {
    if (verb === 'list' || verb === 'get') this.reads.push(`${verb} ${plural}`)
    const fault = this.#faults.find(
      (one) => one.verb === verb && one.plural === plural && (one.dryRun === undefined || one.dryRun === dryRun),
    )
    if (fault?.once) this.#faults.splice(this.#faults.indexOf(fault), 1)
    if (fault !== undefined) throw fault.error
  }
}

/**
 * The manifest without the uid and the resourceVersion that it is for, as an API server was seen to check them: a version without an object
 * creates it, a uid without an object is a conflict.
 */
function onlyFor(present: KubeObject | undefined, { metadata, ...rest }: KubeObject): KubeObject {
  const { uid, resourceVersion, ...others } = metadata
  const isOther = uid !== undefined && uid !== present?.metadata.uid
  const isLater =
    present !== undefined && resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion
  if (isOther || isLater) throw new UserError('CONFLICT', `${metadata.name} has changed`)
  return { ...rest, metadata: others }
}

/** Sets the fields of the manifest and replaces lists. Fields of other managers stay; our annotations that are left out are removed. */
function merge(present: KubeObject | undefined, manifest: KubeObject): KubeObject {
  if (present === undefined) return copied(manifest)
  const { labels, annotations: own, ...metadata } = manifest.metadata
  const { annotations: before = {}, ...rest } = present.metadata
  const others = Object.entries(before).filter(([name]) => !name.startsWith('kubectl-telemetry/'))
  const annotations = { ...Object.fromEntries(others), ...own }
  return {
    ...present,
    ...copied(manifest),
    metadata: {
      ...rest,
      ...metadata,
      labels: { ...present.metadata.labels, ...labels },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  }
}

/** The API server raises a DaemonSet's counter at each change of its pod template, whatever value the request has. */
function withTemplateCounter(present: KubeObject | undefined, after: KubeObject): KubeObject {
  if (after.kind !== 'DaemonSet') return after
  const template = (object?: KubeObject) => (object?.spec as { template?: unknown } | undefined)?.template
  const before = Number(present?.metadata.annotations?.[COUNTER] ?? 0)
  const count = isDeepStrictEqual(template(present), template(after)) ? before : before + 1
  return {
    ...after,
    metadata: { ...after.metadata, annotations: { ...after.metadata.annotations, [COUNTER]: String(count) } },
  }
}

const COUNTER = 'deprecated.daemonset.template.generation'

/** Supports selectors like `a=b,c,d in (e,f)`, the only ones in src. */
function selects(selector: string, labels: Record<string, string>): boolean {
  return selector
    .split(/,(?![^(]*\))/)
    .filter((term) => term !== '')
    .every((term) => {
      const [, one = '', values] = /^(\S+) in \((.*)\)$/.exec(term) ?? []
      if (values !== undefined) return values.split(',').includes(labels[one] ?? '')
      const [name = '', value] = term.split('=')
      if (name.startsWith('!')) return !(name.slice(1) in labels)
      return value === undefined ? name in labels : labels[name] === value
    })
}

/** `involvedObject.kind=StatefulSet,involvedObject.name=db` */
function hasFields(object: KubeObject, selector: string): boolean {
  const terms = selector.split(',').filter((term) => term !== '')
  return terms.every((term) => {
    const [path = '', value] = term.split('=')
    return (
      path.split('.').reduce<unknown>((inner, step) => (inner as Record<string, unknown>)?.[step], object) === value
    )
  })
}

function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`
}
