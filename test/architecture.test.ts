/** The table of docs/architecture.md: who may import whom. It is what the move found: circles between rooms are still in it. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'mocha'

const SRC = new URL('../src/', import.meta.url)

/** A folder (or a file at the top of src) and what it may import besides itself. */
const MAY_IMPORT: Record<string, string[]> = {
  errors: [],
  time: [],
  cluster: ['errors'],
  certificates: ['errors'],
  probing: [],
  terminal: ['errors'],
  world: ['certificates', 'cluster', 'probing', 'terminal'],
  changes: ['cluster', 'errors'],
  manifests: ['cluster'],
  addons: ['changes', 'cluster', 'errors', 'manifests', 'world'],
  gateways: ['addons', 'cluster', 'errors', 'world'],
  workloads: ['cluster', 'errors', 'scraping', 'world'],
  prometheus: ['cluster', 'errors', 'scraping'],
  forwarding: ['addons', 'cluster', 'errors', 'terminal', 'time', 'world'],
  access: ['addons', 'changes', 'cluster', 'errors', 'gateways', 'manifests', 'world'],
  certifying: ['certificates', 'changes', 'cluster', 'errors', 'gateways', 'manifests', 'probing', 'world'],
  scraping: [
    'certificates',
    'changes',
    'cleaning',
    'cluster',
    'errors',
    'exposing',
    'forwarding',
    'gateways',
    'manifests',
    'prometheus',
    'time',
    'workloads',
    'world',
  ],
  exposing: [
    'access',
    'addons',
    'certificates',
    'certifying',
    'changes',
    'cleaning',
    'cluster',
    'errors',
    'gateways',
    'manifests',
    'probing',
    'terminal',
    'world',
  ],
  cleaning: ['addons', 'changes', 'cluster', 'errors', 'exposing', 'scraping', 'world'],
  status: ['access', 'addons', 'certifying', 'cluster', 'errors', 'exposing', 'gateways', 'probing', 'time', 'world'],
  wizard: ['addons', 'cluster', 'errors', 'exposing', 'gateways', 'probing', 'terminal', 'world'],
  rendering: [
    'access',
    'certifying',
    'changes',
    'cleaning',
    'cluster',
    'errors',
    'exposing',
    'forwarding',
    'scraping',
    'status',
    'wizard',
    'world',
  ],
  flags: ['access', 'addons', 'certificates', 'errors', 'gateways'],
  'telemetry-command': [
    'certificates',
    'cluster',
    'errors',
    'flags',
    'forwarding',
    'probing',
    'rendering',
    'terminal',
    'world',
  ],
  commands: [
    'addons',
    'certifying',
    'cleaning',
    'exposing',
    'flags',
    'forwarding',
    'rendering',
    'scraping',
    'status',
    'telemetry-command',
    'wizard',
  ],
  guarded: [],
  main: ['guarded'],
  start: ['guarded', 'telemetry-command'],
}

/** Files that touch the world. Only the composition root picks them. */
const ADAPTERS =
  /\/(kube-[a-z0-9-]+|console-terminal|desktop-browser|directory-authority-store|system-trust-stores|web-prober|tcp-listener)\.ts$/

/** Packages, and the only files that know them. */
const PACKAGES: Record<string, RegExp> = {
  '@oclif/core': /^(commands\/.*|telemetry-command\.ts|flags\/.*\.ts|guarded\.ts|main\.ts|start\.ts)$/,
  '@kubernetes/client-node': /^cluster\/(.*\/)?kube-/,
  undici: /^cluster\/(.*\/)?kube-/,
  '@inquirer/checkbox': /^terminal\/console-/,
  '@inquirer/confirm': /^terminal\/console-/,
  '@inquirer/input': /^terminal\/console-/,
  '@inquirer/select': /^terminal\/console-/,
  open: /^terminal\/desktop-browser\.ts$/,
  'node-forge': /^certificates\/x509\.ts$/,
  diff: /^rendering\/diff\.ts$/,
  yaml: /^(rendering\/output|addons\/(configuration|links)|gateways\/mesh|scraping\/scraper\/[a-z-]+|changes\/(splices|yaml-text)|cluster\/kubeconfig\/kube-config)\.ts$/,
}

/** Time, randomness, environment and streams come in as arguments. */
const WORLD = /\b(process\.|console\.|Date\.now\(|new Date\(\)|Math\.random\(|randomBytes\(|setTimeout\()/

const files = globSync('**/*.ts', { cwd: SRC }).sort()
const read = (file: string) => readFileSync(new URL(file, SRC), 'utf8')
const folderOf = (file: string) => (file.split('/')[0] ?? '').replace(/\.ts$/, '')
const isAdapter = (file: string) => ADAPTERS.test(`/${file}`)

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, specifier]) => specifier ?? '')
}

/** Imports of our own files, relative to src. */
function ownImports(file: string): string[] {
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => join(dirname(file), specifier))
}

describe('architecture', () => {
  it('every folder is in the table', () => {
    assert.deepEqual([...new Set(files.map(folderOf))].sort(), Object.keys(MAY_IMPORT).sort())
  })

  for (const file of files) {
    it(`${file} imports only what its folder may`, () => {
      const allowed = [folderOf(file), ...(MAY_IMPORT[folderOf(file)] ?? [])]
      assert.deepEqual(
        ownImports(file).filter((target) => !allowed.includes(folderOf(target))),
        [],
      )
      if (!isAdapter(file) && file !== 'telemetry-command.ts') assert.deepEqual(ownImports(file).filter(isAdapter), [])
      for (const specifier of importsOf(file).filter((name) => !/^(\.|node:)/.test(name))) {
        assert.match(file, PACKAGES[specifier] ?? /^$/, `${file} must not import ${specifier}`)
      }
    })
  }

  it('nothing inside asks the world for time, randomness, environment or streams', () => {
    const inside = files.filter(
      (file) => !isAdapter(file) && !['telemetry-command.ts', 'guarded.ts', 'main.ts'].includes(file),
    )
    assert.deepEqual(
      inside.filter((file) => WORLD.test(read(file))),
      [],
    )
  })

  it('files have at most 300 lines, commands at most 60', () => {
    const limit = (file: string) => (file.startsWith('commands/') ? 60 : 300)
    const long = files
      .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
      .filter(({ file, lines }) => lines > limit(file))
    assert.deepEqual(long, [])
  })

  it('commands parse, operate and render: they decide nothing and catch nothing', () => {
    const deciding = files
      .filter((file) => file.startsWith('commands/'))
      .filter((file) => /\b(if|try|catch|for|while|switch)\b *[({]/.test(read(file)))
    assert.deepEqual(deciding, [])
  })

  it('names say something', () => {
    assert.deepEqual(
      files.filter((file) => /(^|\/)(utils?|lib|helpers?|common|misc|shared|types|index)(\/|\.ts$)/.test(file)),
      [],
    )
  })
})
