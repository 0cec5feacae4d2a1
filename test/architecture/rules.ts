/** Each rule of DESIGN section 3 as a function of the sources: what breaks it, in words. Pure. */
import { dirname } from 'node:path'
import { exportsOf, type Import, importsOf, parameterCounts, roomOf, type Sources, writableFields } from './sources.ts'
import { BETWEEN_CAPABILITIES, EVERYWHERE, FLOORS, MAY_IMPORT, ONLY_TO } from './table.ts'

export interface Rule {
  title: string
  broken(sources: Sources): string[]
  /** Sources that break it. */
  counterExample: Record<string, string>
}

/** Files that touch the world. Only the composition root picks them. */
const ADAPTERS =
  /\/(kube-[a-z0-9-]+|console-[a-z]+|desktop-browser|ask-(dns|over-tls|inside)|served-chain|exec-inside|data-directory|machine-files|directory-authority-store|system-trust-stores|web-prober|web-sender|web-files|tcp-listener)\.ts$/
/** The composition root, and where a run begins. */
const ROOT = /^(adapters|base-command|guarded|main|start)\.ts$/

const isAdapter = (file: string) => ADAPTERS.test(`/${file}`)

/** Packages, and the only files that know them. */
const PACKAGES: Record<string, RegExp> = {
  '@oclif/core': /^(commands\/.*|base-command\.ts|multicluster-command\.ts|flags\/.*|guarded\.ts|main\.ts|start\.ts)$/,
  socks: /^cluster\/connecting\/kube-/,
  undici: /^(cluster\/connecting\/kube-|probing\/web-sender\.ts$)/,
  '@inquirer/checkbox': /^terminal\/console-/,
  '@inquirer/confirm': /^terminal\/console-/,
  '@inquirer/input': /^terminal\/console-/,
  '@inquirer/select': /^terminal\/console-/,
  open: /^terminal\/desktop-browser\.ts$/,
  'node-forge': /^certificates\/x509\.ts$/,
  tldts: /^certificates\/names\.ts$/,
  diff: /^rendering\/diff\.ts$/,
  yaml: /^(yaml-reading|rendering\/output|addons\/(yaml-setting|links)|(scraping|prometheus)\/([a-z]+\/)?[a-z-]+|changes\/(splices|yaml-text)|tracing\/mesh-text|cluster\/kubeconfig\/(go-yaml|kube-write-back))\.ts$/,
}

/** Time, randomness, environment and streams. */
const WORLD = /\b(process\.|console\.|Date\.now\(|new Date\(\)|Math\.random\(|randomBytes\(|setTimeout\()/

/** Node's modules that reach the network, the disk or other programs. */
const OUTSIDE = /^node:(net|tls|https?|http2|dns|dgram|fs|child_process)(\/promises)?$/
/** What of them only computes. */
const COMPUTES = ['isIP', 'isIPv4', 'isIPv6', 'BlockList']

const ADAPTER_TYPES = ['Cluster', 'Terminal', 'Prober', 'Clock', 'AuthorityStore', 'TrustStores']

interface Arrow extends Import {
  file: string
}

/** Every import of every file. */
function arrows(sources: Sources): Arrow[] {
  return [...sources].flatMap(([file, text]) => importsOf(file, text).map((one) => ({ ...one, file })))
}

/** Imports from one room to another. */
function crossings(sources: Sources): (Arrow & { from: string; to: string })[] {
  return arrows(sources)
    .filter(({ own }) => own)
    .map((arrow) => ({ ...arrow, from: roomOf(arrow.file), to: roomOf(arrow.target) }))
    .filter(({ from, to }) => from !== to)
}

const between = ({ file, target }: { file: string; target: string }) => `${file} -> ${target}`

function floorOf(room: string): number {
  return Object.values(FLOORS).findIndex((rooms) => rooms.includes(room))
}

/** @returns the files of each circle, once */
function circlesIn(imports: ReadonlyMap<string, string[]>): string[] {
  const reached = (from: string): Set<string> => {
    const seen = new Set<string>()
    const open = [...(imports.get(from) ?? [])]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...(imports.get(next) ?? []))
    }
    return seen
  }
  const reach = new Map([...imports.keys()].map((file) => [file, reached(file)]))
  const circles = [...reach].flatMap(([file, targets]) =>
    targets.has(file)
      ? [
          [...targets]
            .filter((other) => reach.get(other)?.has(file))
            .sort()
            .join(' '),
        ]
      : [],
  )
  return [...new Set(circles)]
}

function groupedBy<T>(items: T[], key: (item: T) => string, value: (item: T) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), value(item)])
  return groups
}

function isPure(text: string): boolean {
  const [header = ''] = /^\/\*\*[\s\S]*?\*\//.exec(text) ?? []
  return /\bpure\b/i.test(header)
}

/** Without comments and strings: what is written in prose is no code. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'/g, '')
}

/** Exports that only tests use, and why. */
const ONLY_TESTS: Record<string, string> = {
  'cluster/ownership.ts part': 'tests write as a part that does not exist yet',
  'shell.ts shellQuote': 'tests let a real shell read single words',
  'addons/catalog.ts ADDONS': 'tests walk through the whole catalogue',
  'codes.ts CODES': 'docs/codes.md is generated from it',
  'flags/cert.ts parseDays': 'tests compare described defaults with real ones',
  'forwarding/tunnel/spdy-frames.ts FIN': 'a client of the end-to-end tests speaks SPDY',
  'forwarding/tunnel/spdy-frames.ts FrameError': 'its catchers pass it on, whatever it is',
  'forwarding/tunnel/websocket-frames.ts WebSocketError': 'its catchers pass it on, whatever it is',
  'scraping/scrape-secure.ts scrapeWith': 'tests bring a Prometheus of their own',
  'scraping/scraper/targets.ts explain': 'tests read the reasons without a wait',
  'status/watch.ts watchStatus': 'tests bring a clock and a screen of their own',
}

const CAPABILITIES = FLOORS.capabilities ?? []

export const RULES: Rule[] = [
  {
    title: 'every room is on a floor and in the table',
    broken: (sources) =>
      [...new Set([...sources.keys()].map(roomOf))].filter((room) => floorOf(room) < 0 || !(room in MAY_IMPORT)),
    counterExample: { 'cellar/wine.ts': '' },
  },
  {
    title: 'a room imports only what the table permits',
    broken: (sources) =>
      crossings(sources)
        .filter(({ to }) => !EVERYWHERE.includes(to))
        .filter(({ from, to }) => !MAY_IMPORT[from]?.includes(to))
        .map(between),
    counterExample: { 'manifests/secret.ts': "import { at } from '../changes/fields.ts'" },
  },
  {
    title: 'the table permits nothing that no file uses',
    broken: (sources) => {
      const used = new Set(crossings(sources).map(({ from, to }) => `${from} -> ${to}`))
      const permitted = Object.entries(MAY_IMPORT).flatMap(([from, rooms]) => rooms.map((to) => `${from} -> ${to}`))
      return permitted.filter((one) => !used.has(one))
    },
    counterExample: {},
  },
  {
    title: 'no import runs upwards',
    broken: (sources) =>
      crossings(sources)
        .filter(({ from, to }) => floorOf(from) < floorOf(to))
        .map(between),
    counterExample: { 'cluster/reading.ts': "import type { Change } from '../changes/changes.ts'" },
  },
  {
    title: 'no file reaches itself by imports, not even of types',
    broken: (sources) =>
      circlesIn(
        groupedBy(
          arrows(sources).filter(({ own }) => own),
          ({ file }) => file,
          ({ target }) => target,
        ),
      ),
    counterExample: {
      'a/a.ts': "import { b } from './b.ts'",
      'a/b.ts': "import type { C } from './c.ts'",
      'a/c.ts': "import { a } from './a.ts'",
    },
  },
  {
    title: 'no two rooms import each other, directly or through others',
    broken: (sources) =>
      circlesIn(
        groupedBy(
          crossings(sources),
          ({ from }) => from,
          ({ to }) => to,
        ),
      ),
    counterExample: {
      'addons/a.ts': "import { g } from '../gateways/g.ts'",
      'gateways/h.ts': "import { b } from '../addons/b.ts'",
    },
  },
  {
    title: 'capabilities do not import each other, but for the exceptions in the table',
    broken: (sources) =>
      crossings(sources)
        .filter(({ from, to }) => CAPABILITIES.includes(from) && CAPABILITIES.includes(to))
        .filter(({ from, to }) => !BETWEEN_CAPABILITIES[from]?.includes(to))
        .map(between),
    counterExample: { 'scraping/plan.ts': "import { leafOf } from '../certifying/secret-content.ts'" },
  },
  {
    title: 'only the composition root picks adapters',
    broken: (sources) =>
      arrows(sources)
        .filter(({ file, own, target }) => own && isAdapter(target) && !isAdapter(file) && !ROOT.test(file))
        .map(between),
    counterExample: { 'exposing/verify.ts': "import { WebProber } from '../probing/web-prober.ts'" },
  },
  {
    title: 'a package is known to the files that wrap it',
    broken: (sources) =>
      arrows(sources)
        .filter(({ own, target }) => !own && !target.startsWith('node:'))
        .filter(({ file, target }) => !PACKAGES[target]?.test(file))
        .map(between),
    counterExample: { 'exposing/plan.ts': "import forge from 'node-forge'" },
  },
  {
    title: 'the network, the disk and other programs are reached by adapters and flags only',
    broken: (sources) =>
      arrows(sources)
        .filter(({ target, typeOnly }) => OUTSIDE.test(target) && !typeOnly)
        .filter(({ names }) => names.length === 0 || names.some((name) => !COMPUTES.includes(name)))
        .filter(({ file }) => !isAdapter(file) && !ROOT.test(file) && !file.startsWith('flags/'))
        .map(between),
    counterExample: { 'scraping/proof.ts': "import { connect } from 'node:tls'" },
  },
  {
    title: 'time, randomness, environment and streams are arguments',
    broken: (sources) =>
      [...sources]
        .filter(([file, text]) => !isAdapter(file) && !ROOT.test(file) && WORLD.test(text))
        .map(([file]) => file),
    counterExample: { 'exposing/terms.ts': 'const now = Date.now()' },
  },
  {
    title: 'a file whose header says "pure" waits for nothing and knows no adapter',
    broken: (sources) =>
      [...sources]
        .filter(([, text]) => isPure(text))
        .filter(([file, text]) => {
          const types = importsOf(file, text).flatMap(({ names }) => names)
          return /\b(async|await)\b/.test(codeOf(text)) || types.some((name) => ADAPTER_TYPES.includes(name))
        })
        .map(([file]) => file),
    counterExample: { 'addons/links.ts': '/** Links: pure. */\nexport async function read() {}' },
  },
  {
    title: 'a folder has at most 20 files',
    broken: (sources) =>
      [...groupedBy([...sources.keys()], dirname, (file) => file)]
        .filter(([, files]) => files.length > 20)
        .map(([folder, files]) => `${folder} has ${files.length}`),
    counterExample: Object.fromEntries(Array.from({ length: 21 }, (_, number) => [`hall/${number}.ts`, ''])),
  },
  {
    title: 'a file has at most 300 lines, a command at most 60',
    broken: (sources) =>
      [...sources]
        .map(([file, text]) => ({ file, lines: text.split('\n').length - 1 }))
        .filter(({ file, lines }) => lines > (file.startsWith('commands/') ? 60 : 300))
        .map(({ file, lines }) => `${file} has ${lines} lines`),
    counterExample: { 'commands/long.ts': '\n'.repeat(61) },
  },
  {
    title: 'a function has at most 4 parameters',
    broken: (sources) =>
      [...sources].flatMap(([file, text]) =>
        parameterCounts(text)
          .filter(({ parameters }) => parameters > 4)
          .map(({ name, parameters }) => `${name} in ${file} has ${parameters}`),
      ),
    counterExample: {
      'scraping/harden.ts': 'async function harden({ a, b }: C, d = e(1, 2), f: Map<G, H>, i: (j: K) => L, m?: N) {}',
    },
  },
  {
    // The plan of a cleanup is still put together step by step.
    title: 'a plan is a value: its fields and lists are readonly',
    broken: (sources) =>
      [...sources].flatMap(([file, text]) => writableFields(text).map((field) => `${field} in ${file}`)),
    counterExample: { 'tracing/plan.ts': 'export interface TracingPlan {\n  readonly changes: Change[]\n}' },
  },
  {
    title: 'commands parse, operate and render: they decide nothing and catch nothing',
    broken: (sources) =>
      [...sources]
        .filter(
          ([file, text]) => file.startsWith('commands/') && /\b(if|try|catch|for|while|switch)\b *[({]/.test(text),
        )
        .map(([file]) => file),
    counterExample: { 'commands/status.ts': 'if (flags.watch) watch()' },
  },
  {
    // TypeScript does not see a field too many where an object is spread.
    title: 'commands name the fields that they pass: they spread no flags',
    broken: (sources) =>
      [...sources]
        .filter(([file, text]) => file.startsWith('commands/') && /\.\.\.flags\b|\.\.\.\w+\s*\}\s*=[^>]/.test(text))
        .map(([file]) => file),
    counterExample: { 'commands/expose.ts': "const { 'ingress-ip': ingressAddress, ...rest } = flags" },
  },
  {
    // exposing/while-running.ts hands the question on, to a terminal that can be interrupted.
    title: 'only one place asks "do it?"',
    broken: (sources) =>
      [...sources]
        .filter(([, text]) => /terminal\.confirm\(|'CONSENT_REQUIRED'/.test(text))
        .map(([file]) => file)
        .filter((file) => !['changes/confirmation.ts', 'exposing/while-running.ts'].includes(file)),
    counterExample: { 'cleaning/cleanup.ts': "if (await terminal.confirm('Remove them?')) remove()" },
  },
  {
    // A watch that never ends, one fixed pause, and a clock that can be interrupted.
    title: 'only one loop waits: time/until.ts',
    broken: (sources) =>
      [...sources]
        .filter(([, text]) => /clock\.sleep\(/.test(text))
        .map(([file]) => file)
        .filter(
          (file) => file !== 'time/until.ts' && !/^(status\/watch|exposing\/(expose|while-running))\.ts$/.test(file),
        ),
    counterExample: { 'certifying/change.ts': 'while (!served) await clock.sleep(PAUSE)' },
  },
  {
    title: 'of other capabilities, cleaning knows only how each is undone',
    broken: (sources) =>
      crossings(sources)
        .filter(({ from, to, target }) =>
          ONLY_TO.some(({ room, rooms, files }) => from === room && rooms.includes(to) && !files.test(target)),
        )
        .map(between),
    counterExample: { 'cleaning/cleanup.ts': "import { findOwned } from '../exposing/undo/find.ts'" },
  },
  {
    title: 'rendering knows the rest of the house by its types',
    broken: (sources) =>
      crossings(sources)
        .filter(({ from, to, typeOnly }) => from === 'rendering' && !typeOnly && floorOf(to) > floorOf('manifests'))
        .map(between),
    counterExample: { 'rendering/wizard.ts': "import { commandOf } from '../wizard/steps.ts'" },
  },
  {
    title:
      'every exported value is used by another file of src, every exported type by another file or an exported shape',
    broken: (sources) => {
      const imported = new Set(arrows(sources).flatMap(({ target, names }) => names.map((name) => `${target} ${name}`)))
      // `import()` takes all of a file.
      const whole = new Set(arrows(sources).flatMap(({ target, names }) => (names.length === 0 ? [target] : [])))
      return [...sources]
        .filter(([file]) => !file.startsWith('commands/') && !ROOT.test(file) && !whole.has(file))
        .flatMap(([file, text]) =>
          exportsOf(text)
            .filter(({ name }) => !imported.has(`${file} ${name}`))
            .filter(({ name, isType }) => !isType || [...text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length < 2)
            .map(({ name }) => `${file} ${name}`)
            .filter((name) => !(name in ONLY_TESTS)),
        )
    },
    counterExample: { 'time/until.ts': 'export function until() {}' },
  },
  {
    // The prober's program for another process prints to a pipe; bin/run.cjs refuses old versions of Node before anything is loaded.
    title: 'one place writes to stdout and stderr, where what would control a terminal is shown',
    broken: (sources) =>
      [...sources]
        .filter(([file]) => !/^(terminal\/console-(streams|terminal)|probing\/web-prober)\.ts$/.test(file))
        .filter(([, text]) => /\bprocess\.(stdout|stderr)\b|\bconsole\.\w+\(/.test(text))
        .map(([file]) => file),
    counterExample: { 'base-command.ts': 'process.stderr.write(line)' },
  },
  {
    title: 'a question is one line, whatever it quotes',
    broken: (sources) =>
      [...sources]
        .filter(([file]) => file.startsWith('terminal/console-'))
        .filter(([, text]) =>
          /\bmessage: (?!oneLine\()|\bname: (?!shown\()(?!string)|write\((?!`\$\{visible\(|CLEAR|text\b|'')/.test(text),
        )
        .map(([file]) => file),
    counterExample: { 'terminal/console-terminal.ts': 'confirm({ message: question })' },
  },
  {
    title: 'pages are made of lines: no value can add one',
    broken: (sources) =>
      [...sources]
        .filter(([file]) => file.startsWith('rendering/') && !/\/(output|diff)\.ts$/.test(file))
        .filter(([, text]) => text.includes("join('\\n')"))
        .map(([file]) => file),
    counterExample: { 'rendering/status.ts': "return lines.join('\\n')" },
  },
  {
    // Manifests have names that begin so. A message names a flag first, and has a colon or a quoted value after it.
    title: 'printed commands quote the values in them: sh`…`',
    broken: (sources) =>
      [...sources]
        .filter(([file]) => !/^(manifests|certificates\/authority|changes\/records)/.test(file))
        .flatMap(([file, text]) =>
          [...text.matchAll(/(?<![\w`])`((?:kubectl|curl|mv|istioctl|sudo) [^`]*|-n )\$\{[^`]*/g)].map(
            ([command]) => `${file}: ${command}`,
          ),
        )
        .filter((one) => !/kubectl telemetry (port-forward:|failed|CA|makes)|\(dry run\)/.test(one)),
    counterExample: { 'status/problems.ts': ['fails(code, message, `kubectl -n ', '{namespace} get pods`)'].join('$') },
  },
  {
    title: 'names say something',
    broken: (sources) =>
      [...sources.keys()].filter((file) =>
        /(^|\/)(utils?|lib|helpers?|common|misc|shared|types|index)(\/|\.ts$)/.test(file),
      ),
    counterExample: { 'cluster/utils.ts': '' },
  },
]
