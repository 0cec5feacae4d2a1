/** What users do in a cluster: command lines, and the operations that need more than this process. */
import { requireAddons } from '../../src/addons/catalog.ts'
import { UserError } from '../../src/errors.ts'
import { findForwards } from '../../src/forwarding/forwards.ts'
import type { Dependencies } from '../../src/world.ts'
import { type Outcome, runCommand } from '../commands/run-command.ts'
import { FakeTraffic } from '../traffic/traffic-world.ts'
import { EagerTerminal } from './eager-terminal.ts'

export interface Operation {
  name: string
  /** Names of scenes. */
  scenes: string[]
  run(world: Dependencies): Promise<Outcome>
}

const FRESH = ['fresh']
const USED = ['in use']
const SERVICES = ['services']
const INSTALLED = ['installed']
const TRACED = ['traced']
const ALL = ['fresh', 'in use', 'ports', 'former']

const command = (words: string, scenes: string[]): Operation => ({
  name: words,
  scenes,
  run: (world) => runCommand(`${words} -v`, world),
})

/** On a terminal, with a user who agrees to everything. */
const asked = (words: string, scenes: string[]): Operation => ({
  name: `${words} (on a terminal)`,
  scenes,
  run: (world) => runCommand(`${words} -v`, { ...world, terminal: new EagerTerminal() }),
})

/** Requests take no real time. */
const sending = (words: string, scenes: string[]): Operation => ({
  name: words,
  scenes,
  run: (world) => {
    const fake = new FakeTraffic()
    return fake.during(runCommand(`${words} -v`, world, { trafficEnvironment: async () => fake.environment }))
  },
})

const planned = (words: string, scenes: string[], plan: (world: Dependencies) => Promise<unknown>): Operation => ({
  name: words,
  scenes,
  run: async (world) => {
    try {
      await plan(world)
      return { stdout: '', stderr: '', exitCode: 0 }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return { stdout: '', stderr: '', exitCode: error.exitCode }
    }
  },
})

const forwards = (world: Dependencies, addresses: string[]) =>
  findForwards({ addons: requireAddons([]), addresses }, world).then(({ forwards: found }) =>
    Promise.all(found.map(({ page }) => page)),
  )

export const OPERATIONS: Operation[] = [
  command('status', ALL),
  command('status -o json', USED),
  command('cleanup -y', [...ALL, 'services']),
  command('status', SERVICES),
  command('expose svc/web:http -n shop --allow-anonymous -y', ['fresh', 'services']),
  command('expose svc/web -n edge --port 667 --no-any-host --path /other -y --auth basic', SERVICES),
  command('expose grafana --domain other.example.com --allow-anonymous -y', SERVICES),
  command('expose svc/web -n edge --layout ports --port 8080 --insecure --allow-anonymous -y', SERVICES),
  command('cleanup svc/web -n edge -y', SERVICES),
  command('cleanup --expired -y', SERVICES),
  command('cleanup --scraping -y', ['in use', 'former', 'fresh']),
  command('scrape-secure status', ['in use', 'former', 'fresh']),
  command('expose all --allow-anonymous -y', ALL),
  command('cert rotate -y', ['in use', 'former']),
  command('cert status', USED),
  command('cert trust -y', USED),
  command('cert export ca', USED),
  command('cert rotate --ca -y', USED),
  command('cleanup grafana kiali -y', ['in use', 'former', 'ports']),
  command('cleanup --expired -y', USED),
  command('cleanup --documented-setup -y', USED),
  command('cleanup --dry-run=server', USED),
  command('expose grafana kiali --link --auth basic -y', ['fresh', 'in use', 'former']),
  command('expose grafana --domain other.example.com --allow-cidr 10.1.0.0/16 -y', USED),
  command('expose all --layout ports --auth basic --allow-cidr 10.0.0.0/8 -y', ['fresh', 'in use', 'ports']),
  command('expose all --allow-anonymous --dry-run=server --diff', ['fresh', 'in use']),
  command('expose all --allow-anonymous --dry-run=client -o yaml', FRESH),
  asked('expose', ['fresh', 'in use']),
  asked('cleanup', USED),
  asked('wizard', ['fresh', 'in use']),
  command('scrape-secure -A --gateways -y', ['fresh', 'in use', 'former']),
  command('scrape-secure -A --gateways --dry-run=server --diff', ['fresh', 'in use']),
  command('scrape-secure -A --method sidecar --harden --only-prometheus -y', FRESH),
  command('scrape-secure status -o json', USED),
  command('addons list -o json', INSTALLED),
  // In the fresh cluster it writes what it may repair in the other.
  command('addons install loki -y', ['fresh', 'installed']),
  command('addons uninstall -y', INSTALLED),
  asked('addons install', FRESH),
  command('tracing status', ['traced', 'fresh']),
  command('tracing on --sampling 20 -y', TRACED),
  command('tracing on -n shop --backend svc/zipkin.istio-system -y', TRACED),
  command('tracing off -y', TRACED),
  command('tracing off -n shop -y', TRACED),
  sending('traffic svc/web -n shop --requests 3', SERVICES),
  sending('traffic https://shop.example.com/ --requests 3', ['fresh', 'in use']),
  sending('traffic grafana --requests 3 -o json', ['in use', 'former', 'ports']),
  sending('traffic svc/web -n shop --via api-server --requests 3', ['fresh', 'in use']),
  planned('port-forward', ['fresh'], (world) => forwards(world, ['127.0.0.1'])),
  planned('port-forward --address 0.0.0.0', ['fresh'], (world) => forwards(world, ['0.0.0.0'])),
]
