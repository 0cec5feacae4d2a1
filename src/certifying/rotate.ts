/** New certificates for what is exposed over HTTPS: new leaves, or a new authority in two steps. */
import type { BroughtPair } from '../certificates/user-authority.ts'
import { usageError } from '../errors.ts'
import type { Dependencies } from '../world.ts'
import type { CertificatesChanged, Changing, ChangingNeeds } from './change.ts'
import type { GatewayChoice } from './https-gateways.ts'
import { beginRotation, finishRotation, type Rotation } from './rotate-authority.ts'
import { rotateLeaves } from './rotate-leaves.ts'

export interface CertRotateRequest extends GatewayChoice, Changing {
  /** Of the new keys; those of the keys before when left out. */
  bits?: number | undefined
  /** A new authority: the first step. */
  ca: boolean
  /** The second step. */
  finish: boolean
  /** The authority to change over to; a new one when left out. */
  brought?: BroughtPair | undefined
}

export interface CertRotateResult extends CertificatesChanged {
  /** Authorities that are changed for others. */
  rotations: Rotation[]
}

export type RotatingNeeds = ChangingNeeds & Pick<Dependencies, 'random' | 'generateKey' | 'machine'>

/**
 * @throws UserError AUTHORITY_ELSEWHERE, AUTHORITY_EXPIRED, NOT_OURS, CONSENT_REQUIRED, NO_ROTATION, ROTATION_OPEN, CA_INVALID (exit 2); see
 * also changes/changes.ts
 */
export async function certRotate(request: CertRotateRequest, world: RotatingNeeds): Promise<CertRotateResult> {
  const { ca, finish, brought } = request
  if (brought !== undefined && (!ca || finish))
    throw usageError('USAGE', '--ca-cert and --ca-key begin the change to another authority', ['cert rotate --ca'])
  if (finish) return finishRotation(request, world)
  if (ca) return beginRotation(request, world)
  return { ...(await rotateLeaves(request, world)), rotations: [] }
}
