/** In a pod: the service account, with and without kubeconfigs. In a mount namespace of its own, so this machine keeps its files. */
import type { Row, Setup } from '../comparing.ts'
import { kubeconfig, near } from '../rows.ts'
import type { World } from '../world.ts'

interface Pod {
  token?: string | undefined
  ca?: ((world: World) => string) | undefined
  environment?: (port: number) => NodeJS.ProcessEnv
  more?: (world: World, server: string) => Partial<Setup>
  host?: string
}

const variables = (port: number) => ({ KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) })

function pod(name: string, given: Pod): Row {
  return {
    name: `in a pod ${name}`,
    async prepare(world) {
      const port = await world.api(world.pki.server, given.host)
      const account = world.path('account')
      world.write('account/namespace', 'mine')
      const { token = 'of the pod', ca = ({ pki }) => pki.authority.certificate } = given
      if (!('token' in given && given.token === undefined)) world.write('account/token', token)
      if (!('ca' in given && given.ca === undefined)) world.write('account/ca.crt', ca(world))
      const place = '/run/secrets/kubernetes.io/serviceaccount'
      const script = `mount -t tmpfs none /run && mkdir -p ${place} && cp ${account}/* ${place}/ && exec "$@"`
      return {
        within: ['unshare', '-m', 'sh', '-c', script, 'sh'],
        environment: (given.environment ?? variables)(port),
        ...given.more?.(world, near(port)),
      }
    },
  }
}

export const pods: Row[] = [
  pod('without a kubeconfig', {}),
  pod('in IPv6', {
    host: '::1',
    environment: (port) => ({ KUBERNETES_SERVICE_HOST: '::1', KUBERNETES_SERVICE_PORT: String(port) }),
  }),
  {
    ...pod('without the port', { environment: () => ({ KUBERNETES_SERVICE_HOST: '127.0.0.1' }) }),
    differs: 'kubectl asks localhost:8080, which nobody meant',
  },
  {
    ...pod('without the variables', { environment: () => ({}) }),
    differs: 'kubectl asks localhost:8080, which nobody meant',
  },
  { ...pod('without a token', { token: undefined }), differs: 'kubectl asks localhost:8080, which nobody meant' },
  pod('with a token with a line', { token: 'of the pod\n' }),
  pod('with an empty token', { token: '' }),
  pod('without a CA', { ca: undefined }),
  pod('with the CA of another', { ca: ({ pki }) => pki.stranger.certificate }),
  pod('with a kubeconfig', { more: (world, server) => ({ config: kubeconfig(world, server) }) }),
  pod('with an empty kubeconfig', { more: () => ({ config: '' }) }),
  pod('with a kubeconfig of nothing', { more: () => ({ config: { apiVersion: 'v1', kind: 'Config' } }) }),
  pod('with a kubeconfig without a current context', {
    more: (world, server) => ({ config: kubeconfig(world, server, { top: { 'current-context': '' } }) }),
  }),
  pod('with a kubeconfig whose current context is unknown', {
    more: (world, server) => ({ config: kubeconfig(world, server, { top: { 'current-context': 'x' } }) }),
  }),
  pod('with a kubeconfig that is broken', { more: () => ({ config: 'a: [b' }) }),
  pod('with $KUBECONFIG that is missing', {
    more: (_, server) => ({ environment: { ...variables(Number(new URL(server).port)), KUBECONFIG: '/nowhere' } }),
  }),
  pod('with --kubeconfig that is missing', { more: () => ({ flags: ['--kubeconfig', '/nowhere'] }) }),
  pod('with --token', { more: () => ({ flags: ['--token', 'flag'] }) }),
  pod('with --server', { more: (_, server) => ({ flags: ['--server', server] }) }),
  pod('with --server, --token and --certificate-authority', {
    more: (world, server) => ({
      flags: [
        ...['--server', `${server}/x`, '--token', 'flag'],
        ...['--certificate-authority', world.write('ca.crt', world.pki.authority.certificate)],
      ],
    }),
  }),
  pod('with --certificate-authority', {
    more: (world) => ({ flags: ['--certificate-authority', world.write('ca.crt', world.pki.stranger.certificate)] }),
  }),
  pod('with --insecure-skip-tls-verify', { more: () => ({ flags: ['--insecure-skip-tls-verify'] }) }),
  pod('with --user that is unknown', { more: () => ({ flags: ['--user', 'x'] }) }),
  pod('with --cluster that is unknown', { more: () => ({ flags: ['--cluster', 'x'] }) }),
  pod('with --client-certificate', {
    more: (world) => {
      const { certificate, key } = world.pki.client
      return { flags: ['--client-certificate', world.write('c', certificate), '--client-key', world.write('k', key)] }
    },
  }),
  pod('with a proxy of the environment', {
    environment: (port) => ({ ...variables(port), HTTPS_PROXY: 'http://127.0.0.1:1' }),
  }),
  pod('with the name of a host', {
    environment: (port) => ({ ...variables(port), KUBERNETES_SERVICE_HOST: 'localhost' }),
  }),
  pod('with a token of spaces', { token: ' \n' }),
  pod('with a kubeconfig whose cluster is missing', {
    more: (world, server) => ({ config: kubeconfig(world, server, { top: { clusters: [] } }) }),
  }),
  pod('with a kubeconfig whose cluster is empty', {
    more: (world, server) => ({ config: kubeconfig(world, server, { cluster: {} }) }),
  }),
  pod('with a kubeconfig that has only a context', {
    more: () => ({
      config: { 'current-context': 'main', contexts: [{ name: 'main', context: { cluster: 'x', user: 'y' } }] },
    }),
  }),
  pod('with --context', { more: () => ({ flags: ['--context', 'x'] }) }),
  {
    ...pod('with --as', { more: () => ({ flags: ['--as', 'bob'] }) }),
    differs: 'kubectl forgets the service account and asks localhost:8080',
  },
]
