/** Where this machine keeps the authorities that it trusts. */
import type { TrustPlace } from './trust-places.ts'

/** A place on this machine, and what is there. */
export interface TrustStore {
  place: TrustPlace
  /** Names of the authorities that we put there; `undefined` where that cannot be told. */
  entries: string[] | undefined
  /** Why its commands cannot be run by us; left out when they can. */
  obstacle?: 'not-allowed' | 'no-tool' | 'by-hand'
}

export interface TrustStores {
  /** PEM, one certificate each: what programs of this machine trust unless told otherwise. */
  systemRoots(): Promise<string[]>
  /** The system's own first. */
  find(): Promise<TrustStore[]>
  /** The file that commands read an authority from. */
  fileOf(name: string): string
  /** Names of the authorities whose files there are. */
  staged(): Promise<string[]>
  /** Makes that file, or takes it away. */
  stage(name: string, pem: string): Promise<void>
  unstage(name: string): Promise<void>
  /** Runs a command. @returns what it complained about when it failed */
  run(command: string[]): Promise<string | undefined>
}
