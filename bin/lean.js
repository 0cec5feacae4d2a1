/** What is left out of a bundle, and what is loaded only when it is used. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * Node's modules that a run may never need. `require('node:http').Agent` costs nothing before it is read, and reading every export of
 * node:http would load a whole WebSocket client.
 */
const RARELY_USED = [
  ...['child_process', 'crypto', 'fs/promises', 'http', 'http2', 'https', 'net', 'perf_hooks', 'readline'],
  ...['timers/promises', 'tls', 'tty', 'url', 'util', 'v8', 'zlib'],
]

/**
 * Packages that are a file of their own, loaded when something of them is first used: the whole of one, or the part that we use. Of
 * client-node that is the kubeconfig and its ways to authenticate; of undici its agents, without fetch, caches and mocks.
 */
export const PACKAGES = {
  ...Object.fromEntries(
    [
      ...['@inquirer/checkbox', '@inquirer/confirm', '@inquirer/input', '@inquirer/select'],
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
  '@oclif/core': `module.exports = {
    get Args() { return require('@oclif/core/args') },
    get Command() { return require('@oclif/core/command').Command },
    get Config() { return require('@oclif/core/config').Config },
    get Flags() { return require('@oclif/core/flags') },
    get flush() { return require('@oclif/core/flush').flush },
    get handle() { return require('@oclif/core/handle').handle },
    get run() { return require('@oclif/core/run').run },
  }`,
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
  // An agent for every API server, where we have our own.
  {
    by: /client-node.dist.config\./,
    imports: /^node:https$/,
    exports: ['Agent'],
    as: 'class {}; export default { Agent }',
  },
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
      onResolve({ filter: /./ }, (asked) => {
        if (asked.namespace === 'lazy' || asked.namespace === 'late') return { path: asked.path, external: true }
        return unusedIn(asked) ?? builtIn(asked) ?? packaged(asked, packages, own)
      })
      onLoad({ filter: /./, namespace: 'lazy' }, lazy)
      onLoad({ filter: /./, namespace: 'late' }, late)
      onLoad({ filter: /./, namespace: 'unused' }, unused)
      onLoad({ filter: /@oclif.core.lib.*\.js$/ }, lazyRequires)
    },
  }
}

function unusedIn({ path, importer }) {
  const replaced = UNUSED.find(({ by, imports }) => by.test(importer) && imports.test(path))
  return replaced && { path, namespace: 'unused', pluginData: replaced }
}

function builtIn({ path }) {
  const name = path.replace(/^node:/, '')
  return RARELY_USED.includes(name) ? { path: name, namespace: 'lazy', pluginData: `node:${name}` } : undefined
}

function packaged({ path, kind }, packages, own) {
  if (!(path in PACKAGES) || path === own) return undefined
  const file = `${packages}/${fileOf(path)}.cjs`
  return { path, namespace: kind === 'dynamic-import' ? 'late' : 'lazy', pluginData: file }
}

/**
 * Nothing is loaded before something of it is read. What esbuild makes of an import inherits from the exports, whose own properties it
 * copies: there are none.
 */
function lazy({ path, pluginData: file }) {
  const isModule = require(path).__esModule === true
  const read = `(_, name) => name === '__esModule' ? ${isModule} : require('${file}')[name]`
  return { contents: `module.exports = Object.create(new Proxy({}, { get: ${read} }))` }
}

/** import() loads it anyway. */
function late({ pluginData: file }) {
  return { contents: `export default require('${file}').default` }
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
