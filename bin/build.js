#!/usr/bin/env node
/**
 * Bundles src into dist, and writes oclif's manifest beside it, so that a command starts without loading what it does not use.
 * Figures behind each measure: docs/decisions/0013-start-up.md.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { Plugin } from '@oclif/core/config'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const root = join(import.meta.dirname, '..')
const outdir = join(root, 'dist')
const { oclif, ...packageJson } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/**
 * What a run may never need. Node's own too: `import … from 'node:http'` reads every export of it, and one of them is a getter that
 * loads a whole WebSocket client. Those of oclif are for finding commands in directories, which its manifest saves.
 */
const RARELY_USED = [
  ...['child_process', 'crypto', 'http', 'http2', 'https', 'net', 'perf_hooks', 'tls', 'tty', 'zlib'],
  ...['ejs', 'jsonpath-plus', 'minimatch', 'node-forge', 'openid-client', 'semver', 'tinyglobby', 'yaml'],
]

/** Loads modules when something of theirs is first used. */
const lazy = {
  name: 'lazy',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^.]/ }, ({ path, kind, resolveDir, namespace }) => {
      const name = path.replace(/^node:/, '')
      if (namespace !== 'file' || kind === 'dynamic-import' || !RARELY_USED.includes(name)) return undefined
      return { path: name, namespace: 'lazy', pluginData: resolveDir }
    })
    onLoad({ filter: /./, namespace: 'lazy' }, ({ path, pluginData }) => {
      const loaded = isBuiltin(path) ? `process.getBuiltinModule('${path}')` : `require('${path}')`
      const getters = Object.keys(require(path)).map((name) => `get '${name}'() { return ${loaded}['${name}'] }`)
      return { contents: `module.exports = { ${getters.join(', ')} }`, resolveDir: pluginData }
    })
  },
}

/** Classes that are constructed, at most, and never used: we connect by undici alone. */
const stub = (...names) =>
  `${names.map((name) => `export class ${name} {}`).join('\n')}\nexport function of() {}\nexport function createConfiguration() {}\nexport const isWsl = false`

/**
 * Of client-node we use the kubeconfig and its ways to authenticate, not its generated API (8 MB of source) or its agents;
 * of undici no fetch, caches and mocks. Both load all of it.
 */
const used = {
  name: 'used',
  setup({ onResolve, onLoad }) {
    const modules = join(root, 'node_modules')
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({
      path: join(modules, '@kubernetes/client-node/dist/config.js'),
      sideEffects: false,
    }))
    onResolve({ filter: /^(\.\/gen\/.*|undici|socks|socks-proxy-agent|hpagent)$/ }, ({ path, importer }) =>
      importer.includes('client-node') ? { path, namespace: 'unused' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'unused' }, () => ({
      contents: stub(
        'Agent',
        'ProxyAgent',
        'ServerConfiguration',
        'SocksClient',
        'SocksProxyAgent',
        'HttpProxyAgent',
        'HttpsProxyAgent',
      ),
    }))
    // oclif asks it for the name of the platform, which we do not use.
    onResolve({ filter: /^wsl-utils$/ }, ({ path }) => ({ path, namespace: 'unused' }))
    onResolve({ filter: /^undici$/ }, ({ path, importer }) =>
      importer.includes('client-node') ? undefined : { path, namespace: 'undici' },
    )
    onLoad({ filter: /./, namespace: 'undici' }, () => ({
      resolveDir: root,
      contents: `
        const Dispatcher = require('undici/lib/dispatcher/dispatcher')
        Object.assign(Dispatcher.prototype, require('undici/lib/api'))
        module.exports = {
          Agent: require('undici/lib/dispatcher/agent'),
          buildConnector: require('undici/lib/core/connect'),
          get ProxyAgent() { return require('undici/lib/dispatcher/proxy-agent') },
          get EnvHttpProxyAgent() { return require('undici/lib/dispatcher/env-http-proxy-agent') },
        }`,
    }))
  },
}

rmSync(outdir, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts', 'src/commands/**/*.ts'],
  outdir,
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
  plugins: [used, lazy],
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
})
const plugin = new Plugin({
  root: outdir,
  isRoot: true,
  pjson: { ...packageJson, oclif: { ...oclif, commands: './commands' } },
})
await plugin.load()
writeFileSync(join(outdir, 'oclif.manifest.json'), JSON.stringify(plugin.manifest))
