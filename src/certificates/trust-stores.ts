/** Where this machine keeps the authorities that it trusts. */

export interface TrustStores {
  /** PEM, one certificate each: what programs of this machine trust unless told otherwise. */
  systemRoots(): Promise<string[]>
}
