/** `multicluster rotate`: another CA under the same root for each cluster, or another root. */
import type { Comparison } from '../changes/changes.ts'
import { UserError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import { type ClusterObject, inCluster } from './members.ts'
import { changeRoot } from './trust/change-root.ts'
import { requireTrustFiles, type TrustFiles } from './trust/choice.ts'
import { type TrustPlan, targetFor } from './trust/connect-trust.ts'
import { fingerprintOf } from './trust/fingerprints.ts'
import { isUnderRoot } from './trust/phases.ts'
import { type TrustReport, trustReport } from './trust/report.ts'
import { awaitServed, writeCacerts } from './trust/steps.ts'
import { begunRoot, keyOf, signingFor, type TrustChoice } from './trust/target.ts'
import {
  type ClusterReading,
  comparisonsOf,
  hasWritten,
  objectsOf,
  planSecret,
  readClusters,
  runTrust,
  siteOf,
  type TrustEnd,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust/trust-run.ts'

export interface RotateRequest extends TrustRequest {
  /** `--ca`: another root. */
  readonly ca: boolean
  readonly files: TrustFiles
}

export interface RotateResult {
  outcome: TrustEnd['outcome']
  clusters: TrustReport[]
  objects: ClusterObject[]
  problems: Finding[]
}

export interface RotateReport {
  result: RotateResult
  /** For `--diff`. */
  comparisons: Comparison[]
}

/** @throws UserError CA_NOT_OURS, MESH_ROOT_DIFFERS, MESH_ROOT_ELSEWHERE, ROOT_CHANGE_BEGUN, and those of the phases */
export async function rotate(request: RotateRequest, world: TrustWorld): Promise<RotateReport> {
  const choice = requireTrustFiles(request.files, world.clock.now())
  const all = await readClusters(world)
  const root = requireOurs(all)
  const behind = all.filter(({ reading }) => !isUnderRoot(reading.signer, root))
  if (behind.length > 0) requireContinuing(request, behind)
  if (behind.length > 0 || !request.ca) requireRoot(root, request, { isBegun: behind.length > 0 })
  const run = request.ca
    ? await changeRoot(await newRootFor({ all, behind, root, choice }, world), request, world)
    : await newSigners({ all, root, choice }, request, world)
  const { outcome, problems, changes } = await runTrust(run, request, world)
  const after = hasWritten(outcome) ? await readClusters(world) : all
  const now = { root: begunRoot(after)?.root, now: world.clock.now() }
  const result = {
    outcome,
    clusters: after.map(({ member, mesh, reading }) => trustReport(member, mesh, reading, now)),
    objects: objectsOf(changes),
    problems: [...problems],
  }
  return { result, comparisons: comparisonsOf(changes) }
}

/** The root of the mesh; PEM. */
function requireOurs(all: readonly ClusterReading[]): string {
  const begun = begunRoot(all)
  const other = all.find(({ reading }) => reading.signer.kind !== 'ours')
  if (begun !== undefined && other === undefined) return begun.root
  const message = `the CA of cluster ${other?.name ?? all[0]?.name} was not made by "multicluster connect", so it is not rotated`
  throw new UserError('CA_NOT_OURS', message, { suggestions: ['kubectl telemetry multicluster status'] })
}

/** A CA of the later root would sign before every proxy trusts that root. @throws UserError ROOT_CHANGE_BEGUN */
function requireContinuing({ ca }: RotateRequest, behind: readonly ClusterReading[]): void {
  if (ca) return
  const names = behind.map(({ name }) => name).join(', ')
  const message = `a change to another root has begun, and istiod of cluster ${names} does not yet sign under it; nothing was changed`
  throw new UserError('ROOT_CHANGE_BEGUN', message, {
    suggestions: ['kubectl telemetry multicluster connect   # the same contexts: it continues; then rotate'],
  })
}

/** @param root of the mesh, or to which a change has begun. @throws UserError MESH_ROOT_DIFFERS */
function requireRoot(root: string, { files }: RotateRequest, { isBegun }: { isBegun: boolean }): void {
  const given = files.root
  if (given === undefined || fingerprintOf(given.certificate) === fingerprintOf(root)) return
  const which = isBegun ? 'the root to which a change has begun' : 'the root of the mesh'
  const message = `--root-cert ${given.certificateName} is not ${which}, so proxies would refuse what it signs; nothing was changed. SHA-256 ${fingerprintOf(given.certificate)}, and not ${fingerprintOf(root)}`
  throw new UserError('MESH_ROOT_DIFFERS', message, {
    suggestions: [
      ...(isBegun ? [] : ['--ca   # to change to this root, in phases']),
      'leave --root-cert and --root-key out: the root that this machine has is used',
    ],
  })
}

interface Changing {
  readonly all: readonly ClusterReading[]
  /** Clusters whose istiod does not yet sign under the root: a change was cut off. */
  readonly behind: readonly ClusterReading[]
  readonly root: string
  readonly choice: TrustChoice
}

/** A change of root that was cut off goes on to its root; otherwise there is a new one. */
async function newRootFor({ all, behind, root: begun, choice }: Changing, world: TrustWorld) {
  const known = behind.length > 0 ? begun : choice.root?.certificate
  const trust: TrustPlan = {
    kind: 'change',
    ...(await targetFor(known, choice.root, world)),
    machine: begunRoot(all)?.machine ?? world.machine,
    changing: (behind.length > 0 ? behind : all).map(({ name }) => name),
  }
  return { all, trust, choice, first: new Map(), question: 'Change the root of these clusters?' }
}

async function newSigners(
  { all, root, choice }: { all: readonly ClusterReading[]; root: string; choice: TrustChoice },
  request: TrustRequest,
  world: TrustWorld,
): Promise<TrustRun> {
  const key = choice.root?.key ?? (await keyOf(root, world.meshRoots))
  const target = { root, key }
  const machine = begunRoot(all)?.machine ?? ''
  // Made before the question, so that a missing key is found before anything is asked or written.
  const made = await Promise.all(
    all.map(async (one) => {
      const { files } = one.reading.signer
      return {
        ...one,
        files: { ...(await signingFor(one, { target, machine }, choice, world)), roots: files?.roots ?? [root] },
      }
    }),
  )
  const changes = await Promise.all(
    made.map((one) =>
      inCluster(one, async () => ({ member: one.member, list: [await planSecret(one, one.files, root, world)] })),
    ),
  )
  return {
    changes,
    makes: true,
    question: 'Give these clusters new CAs?',
    undo: 'kubectl telemetry multicluster rotate   # again',
    carryOut: async (progress) => {
      for (const one of made) {
        const site = siteOf(one, request, progress, world)
        await inCluster(one.member, async () => {
          await writeCacerts(site, one.files, root)
          await awaitServed(site, one.files.signer.certificate)
        })
        site.tell('istiod signs with the new CA')
      }
      return []
    },
  }
}
