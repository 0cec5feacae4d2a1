/** Replaces certificates: new leaves, or a new CA in two steps. */
import { usageError } from '../errors.ts'
import { beginRotation, finishRotation } from './rotate-authority.ts'
import { rotateLeaves } from './rotate-leaves.ts'
import type { CertRotateRequest, CertRotateResult, Needs } from './rotation.ts'

/**
 * @throws UserError CA_ELSEWHERE, CA_EXPIRED, NOT_OURS, CONSENT_REQUIRED, NO_ROTATION, ROTATION_OPEN, CA_INVALID (exit 2); see
 * also changes.ts
 */
export async function certRotate(request: CertRotateRequest, world: Needs): Promise<CertRotateResult> {
  const { ca, finish, userAuthority } = request
  if (userAuthority !== undefined && (!ca || finish))
    throw usageError('ROTATION_FLAGS', '--ca-cert and --ca-key need --ca, and exclude --finish', [
      'kubectl telemetry cert rotate --ca --ca-cert FILE --ca-key FILE',
    ])
  if (finish) return finishRotation(request, world)
  if (ca) return beginRotation(request, world)
  return { ...(await rotateLeaves(request, world)), rotations: [] }
}
