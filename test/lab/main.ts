import { parseArgs } from 'node:util'
import { defaultAddons } from './addons.ts'
import { faults } from './faults.ts'
import {
  addons,
  buildOnly,
  type ClusterNumber,
  down,
  downSecond,
  giveClients,
  istio,
  labPaths,
  loadBalancer,
  up,
} from './lab.ts'
import { defaultIstioVersion, type IstioVersion, istioVersions } from './layout.ts'
import { linkState } from './link.ts'
import { say } from './progress.ts'
import { exitCodeInSecond, isSecondThere } from './second-cluster.ts'
import { readStatus } from './status.ts'

const usage = `npm run lab -- COMMAND

  build [--for-tests] [1.30|1.31]
                     compile what is missing in the cache; with what single tests want besides
  up                 a Kubernetes node with Istio and its add-ons; builds first what is missing
  up --clusters 2    the same with a second cluster beside it: Istio without add-ons, linked by its node's addresses
  down               nothing of it left, neither of its second cluster, except the cache
  status             what runs and is ready; exit code 1 unless everything is
  env                shell lines that point kubectl and istioctl at it
  lb on|off          give the ingress gateway a load balancer address, or take it away
  istio 1.30|1.31    install that version over the other
  addons [--real-delays] [NAME…]
                     apply Istio's samples: prometheus grafana kiali jaeger (default), extras/zipkin, …
                     with the delays that they have, which the lab shortens otherwise
  fault NAME         ${Object.keys(faults).join(' ')}

--cluster 2 does the same in the second cluster: down, status, env, lb, istio, fault.
KUBECTL_TELEMETRY_LAB=2 is another lab beside the first; 1 to 9.
`

class UsageError extends Error {}

type Commands = Record<string, (words: string[], options: Options) => unknown>

const commands: Commands = {
  build: ([version = defaultIstioVersion], { forTests }) => buildOnly(istioVersion(version), { forTests }),
  up: (_, { clusters }) => up({ clusters }),
  down,
  status: printStatus,
  env: printEnvironment,
  lb: ([state]) => loadBalancer(oneOf(['on', 'off'], state)),
  istio: ([version]) => istio(istioVersion(version)),
  addons: applySamples,
  clients: giveClients,
  fault: ([name]) => faults[oneOf(Object.keys(faults), name)]?.(),
}

interface Options {
  clusters: ClusterNumber
  cluster: ClusterNumber
  realDelays: boolean
  forTests: boolean
}

async function printStatus(): Promise<void> {
  const { up, lines } = await readStatus()
  process.stdout.write(`${lines.join('\n')}\n`)
  if (!up) process.exitCode = 1
  if (!isSecondThere()) return
  process.stdout.write(`\nlink       ${await linkState()}\n`)
  if ((await exitCodeInSecond('status')) !== 0) process.exitCode = 1
}

async function printEnvironment(): Promise<void> {
  const { kubeconfig, bin } = labPaths()
  process.stdout.write(`export KUBECONFIG='${kubeconfig}' PATH='${bin}':"$PATH"\n`)
}

async function applySamples(names: string[], { realDelays }: Options): Promise<void> {
  await addons(names.length > 0 ? names : defaultAddons, realDelays ? 'real' : 'short')
}

const istioVersion = (word: string | undefined): IstioVersion => oneOf(istioVersions, word)

function oneOf<T extends string>(choices: readonly T[], word: string | undefined): T {
  const choice = choices.find((candidate) => candidate === word)
  if (choice === undefined) throw new UsageError(`expected ${choices.join(' or ')}, got ${word ?? 'nothing'}`)
  return choice
}

function readWords(): { verb: string; words: string[]; options: Options } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        clusters: { type: 'string', default: '1' },
        cluster: { type: 'string', default: '1' },
        'real-delays': { type: 'boolean', default: false },
        'for-tests': { type: 'boolean', default: false },
      },
    })
    const [verb = '', ...words] = positionals
    const number = (text: string): ClusterNumber => (oneOf(['1', '2'], text) === '1' ? 1 : 2)
    const options = { clusters: number(values.clusters), cluster: number(values.cluster) }
    const { 'real-delays': realDelays, 'for-tests': forTests } = values
    return { verb, words, options: { ...options, realDelays, forTests } }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

async function main(): Promise<void> {
  const { verb, words, options } = readWords()
  const command = commands[verb]
  if (!command) throw new UsageError(verb === '' ? 'no command given' : `no such command: ${verb}`)
  if (options.cluster === 1) await command(words, options)
  else if (verb === 'down') await downSecond()
  else process.exitCode = await exitCodeInSecond(verb, ...words)
}

try {
  await main()
} catch (error) {
  say(error instanceof UsageError ? `${error.message}\n\n${usage}` : describe(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** The message and those of its causes; a stack trace with LAB_DEBUG set. */
function describe(error: unknown): string {
  if (!(error instanceof Error) || process.env.LAB_DEBUG) return String(error instanceof Error ? error.stack : error)
  return error.cause === undefined ? error.message : `${error.message}\n${describe(error.cause)}`
}
