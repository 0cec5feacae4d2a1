/** Ways to the server: proxies of the environment and of the kubeconfig. */
import type { Row } from '../comparing.ts'
import { authority, kubeconfig, near } from '../rows.ts'
import { FAR, type World } from '../world.ts'

interface Ports {
  api: number
  proxy: number
  socks: number
}

type Environment = (ports: Ports) => NodeJS.ProcessEnv

interface Way {
  server?: (ports: Ports) => string
  environment?: Environment
  cluster?: (ports: Ports, world: World) => object
}

const proxyUrl = ({ proxy }: Ports) => `http://127.0.0.1:${proxy}`
const far = `https://${FAR}`

function row(name: string, { server = () => far, environment, cluster }: Way): Row {
  return {
    name,
    async prepare(world) {
      const ports = { api: await world.api(), proxy: await world.proxy(), socks: await world.socks() }
      const address = server(ports)
      const more = cluster === undefined ? {} : cluster(ports, world)
      return {
        config: kubeconfig(world, address, { cluster: { server: address, ...authority(world), ...more } }),
        environment: environment?.(ports) ?? {},
      }
    },
  }
}

const by = (name: string, environment: Environment, server?: (ports: Ports) => string) =>
  row(name, { environment, ...(server && { server }) })

/** HTTPS_PROXY, with an exception. */
const except = (noProxy: string, server = far, variable = 'NO_PROXY') =>
  by(
    `${variable}=${JSON.stringify(noProxy)} for ${server}`,
    (ports) => ({ HTTPS_PROXY: proxyUrl(ports), [variable]: noProxy }),
    () => server,
  )

const loopback = (host: string) =>
  by(
    `a proxy of the environment, and a server at ${host}`,
    (ports) => ({ HTTPS_PROXY: proxyUrl(ports), https_proxy: proxyUrl(ports), HTTP_PROXY: proxyUrl(ports) }),
    ({ api }) => `https://${host}:${api}`,
  )

const proxyOf = (name: string, url: (ports: Ports) => string, server?: (ports: Ports) => string) =>
  row(`proxy-url ${name}`, { cluster: (ports) => ({ 'proxy-url': url(ports) }), ...(server && { server }) })

/** Addresses to which every connection past the proxy fails at once: broadcast and multicast. */
const ADDRESS = 'https://255.255.255.255'
const ADDRESS6 = 'https://[ff02::1]'

export const proxies: Row[] = [
  by('HTTPS_PROXY', (ports) => ({ HTTPS_PROXY: proxyUrl(ports) })),
  by('https_proxy', (ports) => ({ https_proxy: proxyUrl(ports) })),
  by('HTTPS_PROXY before https_proxy', (ports) => ({
    HTTPS_PROXY: proxyUrl(ports),
    https_proxy: 'http://127.0.0.1:1',
  })),
  by('an empty HTTPS_PROXY leaves https_proxy', (ports) => ({ HTTPS_PROXY: '', https_proxy: proxyUrl(ports) })),
  by(
    'both empty',
    () => ({ HTTPS_PROXY: '', https_proxy: '' }),
    ({ api }) => near(api),
  ),
  by('HTTPS_PROXY without a scheme', ({ proxy }) => ({ HTTPS_PROXY: `127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with a name and without a scheme', ({ proxy }) => ({ HTTPS_PROXY: `localhost:${proxy}` })),
  by('HTTPS_PROXY with a path', (ports) => ({ HTTPS_PROXY: `${proxyUrl(ports)}/a/b` })),
  by('HTTPS_PROXY with a user', ({ proxy }) => ({ HTTPS_PROXY: `http://jane:p%40ss@127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with a user without a password', ({ proxy }) => ({ HTTPS_PROXY: `http://jane@127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with a user and without a scheme', ({ proxy }) => ({ HTTPS_PROXY: `jane:pass@127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with an https proxy', ({ proxy }) => ({ HTTPS_PROXY: `https://127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with socks5', ({ socks }) => ({ HTTPS_PROXY: `socks5://127.0.0.1:${socks}` })),
  by('HTTPS_PROXY with socks5h', ({ socks }) => ({ HTTPS_PROXY: `socks5h://127.0.0.1:${socks}` })),
  ...['HTTP_PROXY', 'http_proxy'].map((name) =>
    by(
      `${name} in a CGI program`,
      (ports) => ({ [name]: proxyUrl(ports), REQUEST_METHOD: 'GET' }),
      () => `http://${FAR}`,
    ),
  ),
  by('HTTPS_PROXY in a CGI program', (ports) => ({ HTTPS_PROXY: proxyUrl(ports), REQUEST_METHOD: 'GET' })),
  by('HTTPS_PROXY with two @', ({ proxy }) => ({ HTTPS_PROXY: `http://jane:p@ss@127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with # in a password', ({ proxy }) => ({ HTTPS_PROXY: `http://jane:p#ss@127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with a domain before the user', ({ proxy }) => ({
    HTTPS_PROXY: `http://corp\\jane:pass@127.0.0.1:${proxy}`,
  })),
  by(
    'HTTPS_PROXY with a wrong escape',
    ({ proxy }) => ({ HTTPS_PROXY: `http://jane:p%ss@127.0.0.1:${proxy}` }),
    () => ADDRESS,
  ),
  by(
    'HTTPS_PROXY with a space after it',
    ({ proxy }) => ({ HTTPS_PROXY: `http://127.0.0.1:${proxy} ` }),
    () => ADDRESS,
  ),
  by(
    'HTTPS_PROXY in quotes',
    ({ proxy }) => ({ HTTPS_PROXY: `"http://127.0.0.1:${proxy}"` }),
    () => ADDRESS,
  ),
  by(
    'HTTPS_PROXY of spaces',
    () => ({ HTTPS_PROXY: ' ' }),
    () => ADDRESS,
  ),
  ...[
    'https://kube.example.com.',
    'https://localhost.',
    'https://0.0.0.0:1',
    'https://[::]:1',
    'https://user:pass@kube.example.com',
    'https://kube.example.com:443',
  ].map((server) =>
    by(
      `HTTPS_PROXY and ${server}`,
      (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
      () => server,
    ),
  ),
  {
    ...by(
      'HTTPS_PROXY and a host in capitals',
      (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
      () => 'https://KUBE.Example.com',
    ),
    differs: 'we write names in small letters, which name the same host',
  },
  ...[407, 403, 302, 502].map(
    (code): Row => ({
      name: `an HTTP proxy that answers ${code}`,
      async prepare(world) {
        await world.api()
        const proxy = await world.serve({
          connect: (asked, socket) => {
            world.ways.add(`CONNECT ${asked.url} by ${asked.headers['proxy-authorization']}`)
            socket.end(`HTTP/1.1 ${code} No\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n`)
          },
        })
        return { config: kubeconfig(world, far), environment: { HTTPS_PROXY: `http://jane:pass@127.0.0.1:${proxy}` } }
      },
    }),
  ),
  {
    name: 'an HTTP proxy that answers no HTTP',
    async prepare(world) {
      await world.api()
      const proxy = await world.serve({ connect: (_, socket) => socket.end('hello\r\n\r\n') })
      return { config: kubeconfig(world, far), environment: { HTTPS_PROXY: `http://127.0.0.1:${proxy}` } }
    },
  },
  by('HTTPS_PROXY in capitals', ({ proxy }) => ({ HTTPS_PROXY: `HTTP://127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY with a space before it', ({ proxy, api: _ }) => ({ HTTPS_PROXY: ` http://127.0.0.1:${proxy}` })),
  by(
    'HTTPS_PROXY that is no URL',
    () => ({ HTTPS_PROXY: 'http://[bad' }),
    ({ api }) => near(api),
  ),
  by('HTTPS_PROXY of an unknown scheme', ({ proxy }) => ({ HTTPS_PROXY: `ftp://127.0.0.1:${proxy}` })),
  by('HTTPS_PROXY without a host', () => ({ HTTPS_PROXY: 'http://' })),
  by('HTTPS_PROXY that refuses connections', () => ({ HTTPS_PROXY: 'http://127.0.0.1:1' })),
  by(
    'only HTTP_PROXY for an https server',
    (ports) => ({ HTTP_PROXY: proxyUrl(ports) }),
    ({ api }) => near(api),
  ),
  by('only ALL_PROXY', (ports) => ({ ALL_PROXY: proxyUrl(ports), all_proxy: proxyUrl(ports) })),
  by(
    'HTTP_PROXY for an http server',
    (ports) => ({ HTTP_PROXY: proxyUrl(ports) }),
    () => `http://${FAR}`,
  ),
  by(
    'http_proxy for an http server with a path',
    (ports) => ({ http_proxy: proxyUrl(ports) }),
    () => `http://${FAR}/a/b`,
  ),
  by(
    'only HTTPS_PROXY for an http server',
    (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
    ({ api }) => `http://127.0.0.1:${api}`,
  ),
  by(
    'HTTPS_PROXY and a server with a port',
    (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
    () => `${far}:6443`,
  ),
  by(
    'HTTPS_PROXY and an address',
    (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
    () => 'https://255.255.255.255:6443',
  ),
  ...['127.0.0.1', 'localhost', '127.8.9.1', '[::1]', 'LOCALHOST'].map(loopback),
  ...[
    '255.255.255.0/24',
    '255.255.255.255/32',
    ' 10.0.0.0/8 , 255.255.255.0/24',
    '255.255.255.255',
    '255.255.255.255:443',
    '255.255.255.255:6443',
    '10.0.0.0/8',
    '255.255.255.*',
    '255.255.255',
    '255.255.255.255/0',
    '::/0',
    '::ffff:255.255.255.255',
    '::ffff:255.255.255.0/120',
    '255.255.255.0/255.255.255.0',
  ].map((list) => except(list, ADDRESS)),
  ...[
    '::/0',
    'ff02::1/128',
    '[ff02::1]/128',
    'FF02::1',
    'ff02::1:443',
    'ff02::%eth0/16',
    'ff02::/16',
    'ff02::1',
    '[ff02::1]',
    '[ff02::1]:443',
  ].map((list) => except(list, ADDRESS6)),
  ...[
    '*',
    'example.com',
    '.example.com',
    '*.example.com',
    FAR,
    `${FAR}:443`,
    `${FAR}:6443`,
    `.${FAR}`,
    `*.${FAR}`,
    'EXAMPLE.COM',
    'ample.com',
    'com',
    '.com',
    ':443',
    '*:443',
    'KUBE.EXAMPLE.COM',
    'example.com:443',
    '.example.com:443',
    '10.0.0.0/33',
    'kube.*',
    '*example.com',
    'kube',
    'https://kube.example.com',
    '',
    ',',
    'a.test, ,*',
    'a.test kube.example.com',
    'a.test;kube.example.com',
    'example.com.',
    '0.0.0.0/0',
  ].map((list) => except(list)),
  except(FAR, `https://${FAR}:6443`),
  except(`${FAR}:6443`, `https://${FAR}:6443`),
  except(FAR, far, 'no_proxy'),
  by('NO_PROXY before no_proxy', (ports) => ({ HTTPS_PROXY: proxyUrl(ports), NO_PROXY: 'a.test', no_proxy: '*' })),
  by('an empty NO_PROXY leaves no_proxy', (ports) => ({ HTTPS_PROXY: proxyUrl(ports), NO_PROXY: '', no_proxy: '*' })),

  ...['https://bücher.example.com', 'https://a_b.example.com', 'https://[ff02::1]:6443'].flatMap((server) =>
    [proxyUrl, ({ socks }: Ports) => `socks5://127.0.0.1:${socks}`].map((url, index) =>
      row(`${index === 0 ? 'an HTTP' : 'a SOCKS'} proxy for ${server}`, {
        server: () => server,
        environment: (ports) => ({ HTTPS_PROXY: url(ports) }),
        cluster: () => ({ 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true }),
      }),
    ),
  ),
  except('bücher.example.com', 'https://bücher.example.com'),
  except('xn--bcher-kva.example.com', 'https://bücher.example.com'),
  except('bücher.example.com', 'https://xn--bcher-kva.example.com'),

  proxyOf('http', proxyUrl),
  proxyOf('http, for a server on loopback', proxyUrl, ({ api }) => near(api)),
  proxyOf('https', ({ proxy }) => `https://127.0.0.1:${proxy}`),
  proxyOf('https with a name', ({ proxy }) => `https://localhost:${proxy}`),
  proxyOf('socks5', ({ socks }) => `socks5://127.0.0.1:${socks}`),
  proxyOf(
    'socks5, for a server on loopback',
    ({ socks }) => `socks5://127.0.0.1:${socks}`,
    ({ api }) => near(api),
  ),
  proxyOf(
    'socks5 for an address',
    ({ socks }) => `socks5://127.0.0.1:${socks}`,
    () => ADDRESS,
  ),
  proxyOf(
    'socks5 for an http server',
    ({ socks }) => `socks5://127.0.0.1:${socks}`,
    () => `http://${FAR}`,
  ),
  proxyOf('socks5h', ({ socks }) => `socks5h://127.0.0.1:${socks}`),
  proxyOf('socks4', ({ socks }) => `socks4://127.0.0.1:${socks}`),
  proxyOf('without a scheme', ({ proxy }) => `127.0.0.1:${proxy}`),
  proxyOf('with a name and without a scheme', ({ proxy }) => `localhost:${proxy}`),
  proxyOf('that is no URL', () => 'http://[bad'),
  proxyOf('of an unknown scheme', () => 'ftp://127.0.0.1:21'),
  proxyOf('with a user', ({ proxy }) => `http://jane:p%40ss@127.0.0.1:${proxy}`),
  ...[
    'j%C3%BCrgen:p%C3%A4ss',
    'jane:a%ffb',
    'jane:a+b:c',
    'jane:',
    ':pass',
    'jane:p%zz',
    'jürgen:päss',
    'corp%5Cjane:p%2Fa%25',
  ].map((user) => proxyOf(`with the user ${user}`, ({ proxy }) => `http://${user}@127.0.0.1:${proxy}`)),
  proxyOf(
    'with a user, for an http server',
    ({ proxy }) => `http://jane:p%40ss@127.0.0.1:${proxy}`,
    () => `http://${FAR}`,
  ),
  proxyOf('https with a user', ({ proxy }) => `https://jane:p%40ss@127.0.0.1:${proxy}`),
  proxyOf('with a space before it', ({ proxy }) => ` http://127.0.0.1:${proxy}`),
  proxyOf('with a query', ({ proxy }) => `http://127.0.0.1:${proxy}/?a=b#c`),
  proxyOf('of SOCKS in capitals', ({ socks }) => `SOCKS5://127.0.0.1:${socks}`),
  proxyOf('socks', ({ socks }) => `socks://127.0.0.1:${socks}`),
  proxyOf('that is a word', () => 'direct'),
  proxyOf('without a host', () => 'http://'),
  proxyOf('that refuses connections', () => 'http://127.0.0.1:1'),
  proxyOf(
    'that is empty',
    () => '',
    ({ api }) => near(api),
  ),
  proxyOf('for an http server', proxyUrl, () => `http://${FAR}`),
  row('proxy-url before the environment', {
    cluster: (ports) => ({ 'proxy-url': proxyUrl(ports) }),
    environment: () => ({ HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '*' }),
  }),
  row('an empty proxy-url leaves the environment', {
    cluster: () => ({ 'proxy-url': '' }),
    environment: (ports) => ({ HTTPS_PROXY: proxyUrl(ports) }),
  }),
  {
    name: 'a socks5 proxy with a user',
    async prepare(world) {
      await world.api()
      const socks = await world.socks('jane:p@ss')
      return { config: kubeconfig(world, far), environment: { HTTPS_PROXY: `socks5://jane:p%40ss@127.0.0.1:${socks}` } }
    },
  },
  {
    name: 'a socks5 proxy that refuses the user',
    async prepare(world) {
      await world.api()
      const socks = await world.socks('jane:other')
      return { config: kubeconfig(world, far), environment: { HTTPS_PROXY: `socks5://jane:pass@127.0.0.1:${socks}` } }
    },
  },
  ...(['selfSigned', 'otherName', 'expired', 'commonNameOnly'] as const).map(
    (which): Row => ({
      name: `an https proxy with the certificate "${which}"`,
      async prepare(world) {
        await world.api()
        const proxy = await world.proxy(world.pki[which])
        return { config: kubeconfig(world, far), environment: { HTTPS_PROXY: `https://127.0.0.1:${proxy}` } }
      },
    }),
  ),
  {
    name: 'an https proxy, and a server that is not verified',
    async prepare(world) {
      await world.api(world.pki.selfSigned)
      const proxy = await world.proxy(world.pki.selfSigned)
      const cluster = { server: far, 'insecure-skip-tls-verify': true }
      return { config: kubeconfig(world, far, { cluster }), environment: { HTTPS_PROXY: `https://127.0.0.1:${proxy}` } }
    },
  },
]
