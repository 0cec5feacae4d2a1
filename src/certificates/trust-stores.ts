/** Interface to the trust stores of this machine. */
import type { TrustPlace } from './trust-places.ts'

/** A trust store, and our CAs in it. */
export interface TrustStore {
  place: TrustPlace
  /** Names of the CAs that we added; `undefined` if that cannot be determined. */
  entries: string[] | undefined
  /** Why we cannot run its commands; left out if we can. */
  obstacle?: 'not-allowed' | 'no-tool' | 'by-hand'
}

export interface TrustStores {
  /** PEM, one certificate each: the roots that programs of this machine trust by default. */
  systemRoots(): Promise<string[]>
  /** @returns all stores, the system's own first */
  find(): Promise<TrustStore[]>
  /** The file from which commands read a CA. */
  fileOf(name: string): string
  /** Names of the CAs that have such a file. */
  staged(): Promise<string[]>
  /** Writes that file. */
  stage(name: string, pem: string): Promise<void>
  /** Removes that file. */
  unstage(name: string): Promise<void>
  /** Runs a command. @returns its error output if it failed */
  run(command: string[]): Promise<string | undefined>
}
