/** Plugins of esbuild that leave modules out of a bundle, or load them on first use. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * Node's modules that a run may not need. They are loaded when an export is read; reading every export of node:http would load a whole
 * WebSocket client.
 */
const RARELY_USED = [
  ...['child_process', 'crypto', 'fs/promises', 'http', 'http2', 'https', 'net', 'perf_hooks', 'readline'],
  ...['timers/promises', 'tls', 'tty', 'url', 'util', 'v8', 'zlib'],
]

/**
 * Packages with their own file, which is loaded when the package is first used: the whole package, or the part that we use. From undici
 * that is its agents, without fetch, caches and mocks.
 */
export const PACKAGES = {
  ...Object.fromEntries(
    [
      ...['@inquirer/checkbox', '@inquirer/confirm', '@inquirer/input', '@inquirer/select'],
      ...['diff', 'ejs', 'minimatch', 'node-forge', 'open', 'semver', 'socks', 'tinyglobby', 'tldts', 'yaml'],
    ].map((name) => [name, `module.exports = require('${name}')`]),
  ),
  '@oclif/core': `module.exports = {
    get Args() { return require('@oclif/core/args') },
    get Command() { return require('@oclif/core/command').Command },
    get Config() { return require('@oclif/core/config').Config },
    get Flags() { return require('@oclif/core/flags') },
    get handle() { return require('@oclif/core/handle').handle },
    get run() { return require('@oclif/core/run').run },
  }`,
  undici: `
    const Dispatcher = require('undici/lib/dispatcher/dispatcher')
    Object.assign(Dispatcher.prototype, require('undici/lib/api'))
    module.exports = {
      Agent: require('undici/lib/dispatcher/agent'),
      buildConnector: require('undici/lib/core/connect'),
      get ProxyAgent() { return require('undici/lib/dispatcher/proxy-agent') },
    }`,
}

/** Imports of packages that are never used here, such as oclif's use of the platform's name. */
const UNUSED = [{ by: /@oclif.core/, imports: /^wsl-utils$/, exports: ['isWsl'], as: 'false' }]

/** File name of a package: `@oclif/core` is in `oclif-core.cjs`. */
export function fileOf(name) {
  return name.replace('@', '').replaceAll('/', '-')
}

/**
 * @param packages directory of the packages, relative to the bundle's file
 * @param own the package that is being bundled, if any
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
 * A module is loaded when one of its exports is read. esbuild's import object inherits from this object and copies its own properties,
 * of which there are none.
 */
function lazy({ path, pluginData: file }) {
  const isModule = require(path).__esModule === true
  const read = `(_, name) => name === '__esModule' ? ${isModule} : require('${file}')[name]`
  return { contents: `module.exports = Object.create(new Proxy({}, { get: ${read} }))` }
}

/** Modules that import() loads anyway. */
function late({ pluginData: file }) {
  return { contents: `export default require('${file}').default` }
}

/** A value that is imported but not used. */
function unused({ pluginData: { exports, as } }) {
  return { contents: exports.map((name) => `export const ${name} = ${as}`).join('\n') }
}

/**
 * oclif always loads all of its files. TypeScript compiles its imports to `const errors_1 = require("./errors")` and `errors_1.CLIError`:
 * here each becomes a getter, so that only the needed files are loaded.
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
