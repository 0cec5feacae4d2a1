#!/usr/bin/env node
/**
 * Bundles src into dist as CommonJS: a file for each command, a file for each shared package, and oclif's manifest. A command loads only
 * the files that it uses: figures in docs/decisions/0015-start-up.md.
 */
import { cpSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Plugin } from '@oclif/core/config'
import { build } from 'esbuild'
import { fileOf, lean, PACKAGES } from './lean.js'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const next = join(root, 'dist.next')

/** @param directory below dist, for entryPoints in one directory; `more` names the others */
async function bundle(directory, entryPoints, plugins, more = {}) {
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: join(next, directory),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    // import() would start Node's loader for ES modules, which is slower than loading any of our files.
    supported: { 'dynamic-import': false },
    // Files beside the bundles are found by it.
    define: { 'import.meta.dirname': '__dirname' },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    logLevel: 'warning',
    plugins,
    ...more,
  })
}

/** Our own bundles, each with all files of src that it uses. */
async function programs() {
  await bundle('.', ['src/start.ts', 'src/main.ts'], [lean('./packages')])
  const files = globSync('src/commands/**/*.ts', { cwd: root })
  for (const directory of new Set(files.map((file) => join(file, '..')))) {
    const within = relative(join('src', 'commands'), directory)
    const up = within === '' ? '../packages' : '../../packages'
    const entries = files.filter((file) => join(file, '..') === directory)
    await bundle(join('commands', within), entries, [lean(up)])
  }
}

async function packages() {
  for (const [name, contents] of Object.entries(PACKAGES)) {
    const stdin = { contents, resolveDir: root, sourcefile: `${fileOf(name)}.js` }
    const outfile = join(next, 'packages', `${fileOf(name)}.cjs`)
    await bundle('packages', undefined, [lean('.', name)], {
      stdin,
      outfile,
      outdir: undefined,
      outExtension: undefined,
    })
  }
}

/** Help and flags of all commands, so that help need not load them. */
async function manifest() {
  const { oclif, ...packageJson } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const pjson = { ...packageJson, oclif: { ...oclif, commands: './commands' } }
  const plugin = new Plugin({ root: next, isRoot: true, pjson })
  await plugin.load()
  writeFileSync(join(next, 'oclif.manifest.json'), JSON.stringify(plugin.manifest))
}

rmSync(next, { recursive: true, force: true })
await packages()
await programs()
await manifest()
// Istio's sample add-ons, which only `addons` reads.
cpSync(join(root, 'src', 'samples'), join(next, 'samples'), { recursive: true })
rmSync(dist, { recursive: true, force: true })
renameSync(next, dist)
