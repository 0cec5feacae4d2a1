/** A small cluster in memory: server-side apply with owners of fields, resource versions, label selectors, and faults on demand. */
import { isDeepStrictEqual } from 'node:util'
import type {
  Access,
  ApplyOptions,
  Cluster,
  KubeObject,
  ListOptions,
  ObjectName,
  PodAnswer,
  PodRequest,
  Resource,
  Upgraded,
  WatchEvent,
  WatchOptions,
} from '../../src/cluster/cluster.ts'
import { isOwned } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { applied } from './server-side-apply.ts'

type Verb = 'list' | 'get' | 'apply' | 'replace' | 'delete'

/** A request that changed something. */
export interface Write {
  verb: 'apply' | 'replace' | 'delete'
  object: string
}

export class FakeCluster implements Cluster {
  readonly context = 'fake'
  readonly namespace = 'default'
  readonly server = 'https://fake.example:6443'
  readonly objects: KubeObject[]
  readonly writes: Write[] = []
  /** API groups and their versions. */
  groups: Record<string, string[]> = { 'networking.istio.io': ['v1', 'v1beta1', 'v1alpha3'] }
  /** What the SubjectAccessReview says. */
  secretsReadable: boolean | undefined = true
  closed = false
  #version = 100
  /** Somebody else's doing, once, right after the next write. */
  meanwhile: ((objects: KubeObject[]) => void) | undefined
  readonly #faults: { verb: Verb; plural: string; dryRun: boolean | undefined; error: Error; once?: boolean }[] = []

  constructor(objects: KubeObject[]) {
    this.objects = objects.map((object) => this.#stamp(structuredClone(object)))
  }

  /** The next requests of this kind fail. */
  fail(verb: Verb, plural: string, error: Error, dryRun?: boolean): void {
    this.#faults.push({ verb, plural, dryRun, error })
  }

  /** Only the next one fails. */
  failOnce(verb: Verb, plural: string, error: Error): void {
    this.#faults.push({ verb, plural, dryRun: false, error, once: true })
  }

  async servedVersions(group: string): Promise<string[]> {
    return this.groups[group] ?? []
  }

  async list<T extends KubeObject>(
    resource: Resource,
    { namespace, labels, metadataOnly }: ListOptions = {},
  ): Promise<T[]> {
    this.#check('list', resource)
    return this.objects
      .filter((object) => object.kind === resource.kind)
      .filter((object) => namespace === undefined || object.metadata.namespace === namespace)
      .filter((object) => selects(labels ?? '', object.metadata.labels ?? {}))
      .map(({ apiVersion, kind, metadata, ...rest }) =>
        structuredClone(metadataOnly ? { apiVersion, kind, metadata } : { apiVersion, kind, metadata, ...rest }),
      ) as T[]
  }

  async get<T extends KubeObject>(resource: Resource, name: ObjectName): Promise<T | undefined> {
    this.#check('get', resource)
    return structuredClone(this.#find(resource, name)) as T | undefined
  }

  async apply<T extends KubeObject>(
    resource: Resource,
    manifest: KubeObject,
    { dryRun = false, manager }: ApplyOptions = {},
  ): Promise<T> {
    this.#check('apply', resource, dryRun)
    const present = this.#find(resource, manifest.metadata)
    const isOthers = present !== undefined && !isOwned(present)
    const after = isOthers ? applied(present, manifest, manager) : merge(present, manifest)
    const same = present !== undefined && isDeepStrictEqual(present, after)
    // As the real one: an apply that changes nothing leaves the version alone.
    const stamped = same ? after : this.#stamp(after)
    if (!dryRun && !same) {
      this.writes.push({ verb: 'apply', object: nameOf(manifest) })
      if (present !== undefined) this.objects.splice(this.objects.indexOf(present), 1)
      this.objects.push(stamped)
      this.#interfere()
    }
    return structuredClone(stamped) as T
  }

  async replace<T extends KubeObject>(resource: Resource, object: T, { dryRun = false } = {}): Promise<T> {
    this.#check('replace', resource, dryRun)
    const present = this.#find(resource, object.metadata)
    if (present?.metadata.resourceVersion !== object.metadata.resourceVersion)
      throw new UserError('CONFLICT', `${object.metadata.name} has changed`)
    const stamped = this.#stamp(structuredClone(object))
    if (!dryRun && present !== undefined) {
      this.objects.splice(this.objects.indexOf(present), 1, stamped)
      this.writes.push({ verb: 'replace', object: nameOf(object) })
      this.#interfere()
    }
    return structuredClone(stamped) as T
  }

  async delete(resource: Resource, object: KubeObject, { dryRun = false } = {}): Promise<'deleted' | 'gone'> {
    this.#check('delete', resource, dryRun)
    const present = this.#find(resource, object.metadata)
    if (present === undefined || present.metadata.uid !== object.metadata.uid) return 'gone'
    if (!dryRun) {
      this.objects.splice(this.objects.indexOf(present), 1)
      this.writes.push({ verb: 'delete', object: nameOf(present) })
      this.#interfere()
    }
    return 'deleted'
  }

  // biome-ignore lint/correctness/useYield: nothing happens here
  async *watch<T extends KubeObject>(_resource: Resource, _options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    throw new Error('the fake cluster has no watches')
  }

  async connect(): Promise<void> {}

  async portForward(_pod: Required<ObjectName>): Promise<Upgraded> {
    throw new Error('the fake cluster has no pods that run')
  }

  /** What pods answer to the API server's proxy. */
  podAnswers: (pod: ObjectName, request: PodRequest) => PodAnswer = () => ({ failed: 'connection refused' })

  async askPod(pod: Required<ObjectName>, request: PodRequest): Promise<PodAnswer> {
    return this.podAnswers(pod, request)
  }

  async mayAccess(_access: Access): Promise<boolean | undefined> {
    return this.secretsReadable
  }

  reconnect(): void {}

  async close(): Promise<void> {
    this.closed = true
  }

  #interfere(): void {
    const act = this.meanwhile
    this.meanwhile = undefined
    act?.(this.objects)
  }

  #find(resource: Resource, { name, namespace }: ObjectName): KubeObject | undefined {
    return this.objects.find(
      ({ kind, metadata }) => kind === resource.kind && metadata.name === name && metadata.namespace === namespace,
    )
  }

  #stamp(object: KubeObject): KubeObject {
    const version = String(++this.#version)
    return { ...object, metadata: { uid: `uid-${version}`, ...object.metadata, resourceVersion: version } }
  }

  #check(verb: Verb, { plural }: Resource, dryRun?: boolean): void {
    const fault = this.#faults.find(
      (one) => one.verb === verb && one.plural === plural && (one.dryRun === undefined || one.dryRun === dryRun),
    )
    if (fault?.once) this.#faults.splice(this.#faults.indexOf(fault), 1)
    if (fault !== undefined) throw fault.error
  }
}

/** Applying sets the fields of the manifest; lists are replaced. Fields that others set stay; annotations of ours go when left out. */
function merge(present: KubeObject | undefined, manifest: KubeObject): KubeObject {
  if (present === undefined) return structuredClone(manifest)
  const { labels, annotations: ours, ...metadata } = manifest.metadata
  const { annotations: before = {}, ...rest } = present.metadata
  const theirs = Object.entries(before).filter(([name]) => !name.startsWith('kubectl-telemetry/'))
  const annotations = { ...Object.fromEntries(theirs), ...ours }
  return {
    ...present,
    ...structuredClone(manifest),
    metadata: {
      ...rest,
      ...metadata,
      labels: { ...present.metadata.labels, ...labels },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  }
}

/** `a=b,c,d in (e,f)`: which is all we use. */
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

function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`
}
