/** What is left out of a bundle, and what is loaded only when it is used. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * Node's modules that a run may never need. `require('node:http').Agent` costs nothing before it is read, and reading every export of
 * node:http would load a whole WebSocket client.
 */
const RARELY_USED = [
  ...['child_process', 'crypto', 'http', 'http2', 'https', 'net', 'perf_hooks', 'readline', 'tls', 'tty', 'zlib'],
]

/**
 * Packages that are a file of their own, loaded when something of them is first used: the whole of one, or the part that we use. Of
 * client-node that is the kubeconfig and its ways to authenticate; of undici its agents, without fetch, caches and mocks.
 */
export const PACKAGES = {
  ...Object.fromEntries(
    [
      ...['@inquirer/checkbox', '@inquirer/confirm', '@inquirer/input', '@inquirer/select', '@oclif/core'],
      ...[
        'diff',
        'ejs',
        'jsonpath-plus',
        'minimatch',
        'node-forge',
        'open',
        'openid-client',
        'semver',
        'tinyglobby',
        'yaml',
      ],
    ].map((name) => [name, `module.exports = require('${name}')`]),
  ),
  '@kubernetes/client-node': `export { KubeConfig } from './node_modules/@kubernetes/client-node/dist/config.js'`,
  undici: `
    const Dispatcher = require('undici/lib/dispatcher/dispatcher')
    Object.assign(Dispatcher.prototype, require('undici/lib/api'))
    module.exports = {
      Agent: require('undici/lib/dispatcher/agent'),
      buildConnector: require('undici/lib/core/connect'),
      get ProxyAgent() { return require('undici/lib/dispatcher/proxy-agent') },
      get EnvHttpProxyAgent() { return require('undici/lib/dispatcher/env-http-proxy-agent') },
    }`,
}

/** What packages import and we never make them use. What oclif does with the platform's name we do not need. */
const UNUSED = [
  {
    by: /@kubernetes.client-node/,
    imports: /^\.\/gen\//,
    exports: ['ServerConfiguration', 'createConfiguration', 'of'],
  },
  { by: /@kubernetes.client-node/, imports: /^undici$/, exports: ['Agent', 'ProxyAgent'] },
  { by: /@kubernetes.client-node/, imports: /^socks$/, exports: ['SocksClient'] },
  { by: /@kubernetes.client-node/, imports: /^socks-proxy-agent$/, exports: ['SocksProxyAgent'] },
  { by: /@kubernetes.client-node/, imports: /^hpagent$/, exports: ['HttpProxyAgent', 'HttpsProxyAgent'] },
  { by: /@oclif.core/, imports: /^wsl-utils$/, exports: ['isWsl'], as: 'false' },
]

/** `@oclif/core` is in `oclif-core.cjs`. */
export function fileOf(name) {
  return name.replace('@', '').replaceAll('/', '-')
}

/**
 * @param packages the directory of the packages, as a file of the bundle names it
 * @param own the package that is being bundled, if it is one
 */
export function lean(packages, own) {
  return {
    name: 'lean',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ path, importer, namespace }) => {
        if (namespace === 'lazy') return { path, external: true }
        const replaced = UNUSED.find(({ by, imports }) => by.test(importer) && imports.test(path))
        if (replaced) return { path, namespace: 'unused', pluginData: replaced }
        const name = path.replace(/^node:/, '')
        if (RARELY_USED.includes(name)) return { path: name, namespace: 'lazy', pluginData: `node:${name}` }
        if (!(path in PACKAGES) || path === own) return undefined
        return { path, namespace: 'lazy', pluginData: `${packages}/${fileOf(path)}.cjs` }
      })
      onLoad({ filter: /./, namespace: 'lazy' }, lazy)
      onLoad({ filter: /./, namespace: 'unused' }, unused)
      onLoad({ filter: /@oclif.core.lib.*\.js$/ }, lazyRequires)
    },
  }
}

/** Getters, so that nothing is loaded before one of them is read. */
function lazy({ path, pluginData: file }) {
  const module = require(path)
  const names = Object.keys(module).filter((name) => name !== '__esModule')
  const getters = names.map((name) => `get '${name}'() { return require('${file}')['${name}'] }`)
  const marks = module.__esModule ? ['__esModule: true'] : []
  return { contents: `module.exports = { ${[...marks, ...getters].join(', ')} }` }
}

/** Constructed, at most: client-node makes agents for whoever wants them. */
function unused({ pluginData: { exports, as = 'class {}' } }) {
  return { contents: exports.map((name) => `export const ${name} = ${as}`).join('\n') }
}

/**
 * oclif loads all of itself for anything. TypeScript has written its imports as `const errors_1 = require("./errors")`, used as
 * `errors_1.CLIError`: here each becomes a getter, so that it loads what a command needs.
 */
function lazyRequires({ path }) {
  const names = []
  const text = readFileSync(path, 'utf8').replace(
    /^(?:const|var) (\w+_\d+) = ((?:__import(?:Default|Star)\()?require\("[^"]+"\)\)?);$/gm,
    (_, name, value) => {
      names.push(name)
      return `let ${name}_value; Object.defineProperty(lazily, '${name}', { get: () => ${name}_value ??= ${value} });`
    },
  )
  if (names.length === 0) return undefined
  const used = new RegExp(`(?<!')\\b(${names.join('|')})\\b`, 'g')
  return { contents: `const lazily = {};\n${text.replace(used, 'lazily.$1')}` }
}
