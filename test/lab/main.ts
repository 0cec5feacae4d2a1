import { defaultAddons } from './addons.ts'
import { addons, buildOnly, down, istio, labPaths, loadBalancer, up } from './lab.ts'
import { defaultIstioVersion, type IstioVersion, istioVersions } from './layout.ts'
import { say } from './progress.ts'
import { readStatus } from './status.ts'

const usage = `npm run lab -- COMMAND

  build [1.30|1.31]  compile what is missing in the cache
  up                 a Kubernetes node with Istio and its add-ons; builds first what is missing
  down               nothing of it left, except the cache
  status             what runs and is ready; exit code 1 unless everything is
  env                shell lines that point kubectl and istioctl at it
  lb on|off          give the ingress gateway a load balancer address, or take it away
  istio 1.30|1.31    install that version over the other
  addons [--real-delays] [NAME…]
                     apply Istio's samples: ${defaultAddons.join(' ')} (default), extras/zipkin, …
                     with the delays that they have, which the lab shortens otherwise

KUBECTL_TELEMETRY_LAB=2 is another lab beside the first; 1 to 9.
`

const REAL_DELAYS = '--real-delays'

class UsageError extends Error {}

const commands: Record<string, (args: string[]) => Promise<void>> = {
  build: ([version = defaultIstioVersion]) => buildOnly(istioVersion(version)),
  up,
  down,
  status: printStatus,
  env: printEnvironment,
  lb: ([state]) => loadBalancer(oneOf(['on', 'off'], state)),
  istio: ([version]) => istio(istioVersion(version)),
  addons: applySamples,
}

async function printStatus(): Promise<void> {
  const { up, lines } = await readStatus()
  process.stdout.write(`${lines.join('\n')}\n`)
  if (!up) process.exitCode = 1
}

async function printEnvironment(): Promise<void> {
  const { kubeconfig, bin } = labPaths()
  process.stdout.write(`export KUBECONFIG='${kubeconfig}' PATH='${bin}':"$PATH"\n`)
}

async function applySamples(words: string[]): Promise<void> {
  const names = words.filter((word) => word !== REAL_DELAYS)
  await addons(names.length > 0 ? names : defaultAddons, words.includes(REAL_DELAYS) ? 'real' : 'short')
}

const istioVersion = (word: string | undefined): IstioVersion => oneOf(istioVersions, word)

function oneOf<T extends string>(choices: readonly T[], word: string | undefined): T {
  const choice = choices.find((candidate) => candidate === word)
  if (choice === undefined) throw new UsageError(`expected ${choices.join(' or ')}, got ${word ?? 'nothing'}`)
  return choice
}

const [verb = '', ...args] = process.argv.slice(2)
try {
  const command = commands[verb]
  if (!command) throw new UsageError(verb === '' ? 'no command given' : `no such command: ${verb}`)
  await command(args)
} catch (error) {
  say(error instanceof UsageError ? `${error.message}\n\n${usage}` : describe(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** The message and those of its causes; a stack trace with LAB_DEBUG set. */
function describe(error: unknown): string {
  if (!(error instanceof Error) || process.env.LAB_DEBUG) return String(error instanceof Error ? error.stack : error)
  return error.cause === undefined ? error.message : `${error.message}\n${describe(error.cause)}`
}
