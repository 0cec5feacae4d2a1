#!/usr/bin/env node
/**
 * Bundles src into dist, and writes oclif's manifest beside it. A command starts without loading what it does not use: figures in
 * docs/decisions/0015-start-up.md.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { Plugin } from '@oclif/core/config'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const next = join(root, 'dist.next')

/**
 * What a run may never need, loaded when something of it is first used. Node's own too: `import … from 'node:http'` reads every
 * export of it, and one of them is a getter that loads a whole WebSocket client. Those of oclif are for finding commands in
 * directories, which its manifest saves.
 */
const RARELY_USED = [
  ...['child_process', 'crypto', 'http', 'http2', 'https', 'net', 'perf_hooks', 'tls', 'tty', 'zlib'],
  ...['ejs', 'jsonpath-plus', 'minimatch', 'node-forge', 'openid-client', 'semver', 'tinyglobby', 'yaml'],
]

/**
 * What is imported and not used by us. Of client-node we use the kubeconfig and its ways to authenticate, not its generated API (8 MB
 * of source) nor its connections; what oclif does with the platform's name we do not need.
 */
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

/** Packages that load all they have, and the part that we use. */
const PARTS = {
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

const lazy = ({ path, pluginData }) => {
  const loaded = isBuiltin(path) ? `process.getBuiltinModule('${path}')` : `require('${path}')`
  const getters = Object.keys(require(path)).map((name) => `get '${name}'() { return ${loaded}['${name}'] }`)
  const marks = require(path).__esModule ? ['__esModule: true'] : []
  return { contents: `module.exports = { ${[...marks, ...getters].join(', ')} }`, resolveDir: pluginData }
}

/** Constructed, at most: client-node makes agents for whoever wants them. */
const unused = ({ pluginData: { exports, as = 'class {}' } }) => ({
  contents: exports.map((name) => `export const ${name} = ${as}`).join('\n'),
})

const part = ({ path }) => ({ contents: PARTS[path], resolveDir: root })

const lean = {
  name: 'lean',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, kind, importer, resolveDir, namespace }) => {
      if (namespace !== 'file') return undefined
      const replaced = UNUSED.find(({ by, imports }) => by.test(importer) && imports.test(path))
      if (replaced) return { path, namespace: 'unused', pluginData: replaced }
      if (path in PARTS) return { path, namespace: 'part' }
      const name = path.replace(/^node:/, '')
      if (kind === 'dynamic-import' || !RARELY_USED.includes(name)) return undefined
      return { path: name, namespace: 'lazy', pluginData: resolveDir }
    })
    onLoad({ filter: /./, namespace: 'lazy' }, lazy)
    onLoad({ filter: /./, namespace: 'unused' }, unused)
    onLoad({ filter: /./, namespace: 'part' }, part)
  },
}

async function bundle() {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/main.ts', 'src/commands/**/*.ts'],
    outdir: next,
    outbase: 'src',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    logLevel: 'warning',
    plugins: [lean],
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  })
}

/** What every command's help and flags are, so that none has to be loaded to find that out. */
async function manifest() {
  const { oclif, ...packageJson } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const pjson = { ...packageJson, oclif: { ...oclif, commands: './commands' } }
  const plugin = new Plugin({ root: next, isRoot: true, pjson })
  await plugin.load()
  writeFileSync(join(next, 'oclif.manifest.json'), JSON.stringify(plugin.manifest))
}

rmSync(next, { recursive: true, force: true })
await bundle()
await manifest()
rmSync(dist, { recursive: true, force: true })
renameSync(next, dist)
