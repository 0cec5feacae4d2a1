/** Parts of rows. */
import type { Row, Setup } from './comparing.ts'
import type { World } from './world.ts'

export const base64 = (text: string) => Buffer.from(text).toString('base64')

export interface Parts {
  cluster?: object
  user?: object
  context?: object
  top?: object
}

/** A kubeconfig with one context, a token, and the CA of the test. */
export function kubeconfig(world: World, server: string, { cluster, user, context, top }: Parts = {}): Config {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    clusters: [{ name: 'main', cluster: cluster ?? { server, ...authority(world) } }],
    users: [{ name: 'main', user: user ?? { token: 'secret' } }],
    contexts: [{ name: 'main', context: { cluster: 'main', user: 'main', ...context } }],
    ...top,
  }
}

export interface Config {
  [field: string]: unknown
  clusters: object[]
  users: object[]
  contexts: object[]
}

export function authority(world: World): object {
  return { 'certificate-authority-data': base64(world.pki.authority.certificate) }
}

export const near = (port: number) => `https://127.0.0.1:${port}`

/** A row whose API server is near, with other parts of the kubeconfig. */
export function simple(name: string, parts: (world: World, server: string) => Parts, more: Partial<Setup> = {}): Row {
  return {
    name,
    async prepare(world) {
      const server = near(await world.api())
      return { config: kubeconfig(world, server, parts(world, server)), ...more }
    },
  }
}

/** A value, after files that it needs were written. */
export function having<T>(_written: unknown, value: T): T {
  return value
}
