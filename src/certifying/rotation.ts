/** Types of a rotation: request, result and dependencies. */

import type { CertificateFacts } from '../certificates/facts.ts'
import type { UserKeyPair } from '../certificates/user-authority.ts'
import type { Dependencies } from '../world.ts'
import type { CertificateChangeResult, Needs as ChangeNeeds, ChangeOptions } from './change.ts'
import type { GatewayChoice } from './https-gateways.ts'

export interface CertRotateRequest extends GatewayChoice, ChangeOptions {
  /** Bits of the new keys; as before when left out. */
  bits?: number | undefined
  /** Start the rotation of a CA. */
  ca: boolean
  /** Finish it. */
  finish: boolean
  /** The new CA; generated when left out. */
  userAuthority?: UserKeyPair | undefined
}

export interface CertRotateResult extends CertificateChangeResult {
  /** Rotations of CAs that this run started or finished. */
  rotations: Rotation[]
}

export type Needs = ChangeNeeds & Pick<Dependencies, 'random' | 'generateKey' | 'machine'>

/** The rotation of a domain's CA. */
export interface Rotation {
  domain: string
  /** `overlap`: clients should trust both; `finished`: the new one signs. */
  stage: 'overlap' | 'finished'
  /** The file with the CA certificates. */
  certificate: string
  old: AuthorityFacts
  new: AuthorityFacts
}

export type AuthorityFacts = Pick<CertificateFacts, 'fingerprint' | 'notAfter'>
