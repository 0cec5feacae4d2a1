/** The request of `expose`. */
import type { GuardRequest } from '../access/guard.ts'
import type { AddonChoice } from '../addons/catalog.ts'
import type { PortChoice } from '../addons/port-choice.ts'
import type { ServiceChoice } from '../addons/service-survey.ts'
import type { UserKeyPair } from '../certificates/user-authority.ts'
import type { SecretChoice } from '../certifying/provided-secret.ts'
import type { ObjectName } from '../cluster/cluster.ts'
import type { LayoutName } from '../gateways/layout.ts'
import type { IssuerRef } from '../manifests/certificate.ts'
import type { DatedTerms } from './terms.ts'

/** What to expose, where, and for whom. A field that is left out keeps its present value, where the add-on is exposed already. */
export interface ExposeIntent {
  addons: AddonChoice
  /** Services that are no add-ons. */
  services: readonly ServiceChoice[]
  /** The namespace of the add-ons; every namespace when left out. That of the Services; the context's when left out. */
  namespace?: string | undefined
  domain?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  gateway?: Required<ObjectName> | undefined
  /** `hosts` if nothing is exposed yet. */
  layout?: LayoutName | undefined
  /** HTTP instead of HTTPS. */
  insecure: boolean
  /** Kiali's pages get links to the other add-ons. */
  link?: boolean
  /** Ports of their own at the gateway. */
  ports: PortChoice
  nodePorts: PortChoice
  /** Whether a port of its own serves any host. */
  anyHost?: boolean | undefined
  /** The only paths of a Service that are let through; `/` for all. Empty: unchanged. */
  paths: readonly string[]
  /** The user's own TLS Secret. */
  tlsSecret?: SecretChoice | undefined
  /** The cert-manager issuer of the certificate. */
  tlsIssuer?: IssuerRef | undefined
  /** Who may enter. */
  guard: GuardRequest
  terms: DatedTerms
}

/** Whether a CA of this machine may have to sign, as far as the flags show. */
export function mayNeedAuthority({ insecure, tlsSecret, tlsIssuer }: ExposeIntent): boolean {
  return !insecure && tlsSecret === undefined && tlsIssuer === undefined
}

/** The intent, and how the command runs. */
export interface ExposeRequest extends ExposeIntent {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** The user's own CA, which signs from now on. */
  userAuthority?: UserKeyPair | undefined
  /** Milliseconds to wait for the pages to answer. */
  timeout: number
}
