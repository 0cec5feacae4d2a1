/** `multicluster rotate`: another CA under the same root for each cluster, or another root. */
import { UserError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import { type ClusterObject, inCluster } from './members.ts'
import { changeRoot } from './trust/change-root.ts'
import { requireTrustFiles, type TrustFiles } from './trust/choice.ts'
import type { TrustPlan } from './trust/connect-trust.ts'
import { isUnderRoot } from './trust/phases.ts'
import { type TrustReport, trustReport } from './trust/report.ts'
import { awaitServed, writeCacerts } from './trust/steps.ts'
import { begunRoot, keyOf, signingFor, type TrustChoice } from './trust/target.ts'
import {
  type ClusterReading,
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
  waitingFor,
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

/** @throws UserError CA_NOT_OURS, MESH_ROOT_ELSEWHERE, and those of the phases */
export async function rotate(request: RotateRequest, world: TrustWorld): Promise<RotateResult> {
  const choice = requireTrustFiles(request.files, world.clock.now())
  const all = await readClusters(world)
  const root = requireOurs(all)
  const run = request.ca
    ? await changeRoot(await newRootFor(all, root, choice, world), request, world)
    : await newSigners({ all, root, choice }, request, world)
  const { outcome, open } = await runTrust(run, request, world)
  const after = hasWritten(outcome) ? await readClusters(world) : all
  const now = { root: begunRoot(after)?.root, now: world.clock.now() }
  return {
    outcome,
    clusters: after.map(({ member, mesh, reading }) => trustReport(member, mesh, reading, now)),
    objects: objectsOf(run.changes),
    problems: waitingFor(open),
  }
}

/** The root of the mesh; PEM. */
function requireOurs(all: readonly ClusterReading[]): string {
  const begun = begunRoot(all)
  const other = all.find(({ reading }) => reading.signer.kind !== 'ours')
  if (begun !== undefined && other === undefined) return begun.root
  const message = `the CA of cluster ${other?.name ?? all[0]?.name} was not made by "multicluster connect", so it is not rotated`
  throw new UserError('CA_NOT_OURS', message, { suggestions: ['kubectl telemetry multicluster status'] })
}

/** A change of root that was cut off goes on to its root; otherwise there is a new one. */
async function newRootFor(all: readonly ClusterReading[], begun: string, choice: TrustChoice, world: TrustWorld) {
  const behind = all.filter(({ reading }) => !isUnderRoot(reading.signer, begun))
  const given = choice.root?.certificate
  const root = behind.length > 0 ? begun : given
  const key = behind.length > 0 ? await keyOf(begun, world.meshRoots) : choice.root?.key
  const changing = (behind.length > 0 ? behind : all).map(({ name }) => name)
  const trust: TrustPlan = {
    kind: 'change',
    machine: begunRoot(all)?.machine ?? world.machine,
    changing,
    ...(root === undefined ? {} : { root }),
    ...(key === undefined ? {} : { key }),
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
