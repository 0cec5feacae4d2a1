/** `npm run demo`: exposes Grafana on a real mesh on this machine. `npm run demo -- --down` removes the mesh. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { down, labEnvironment, labPaths, loadBalancer, up } from './lab/lab.ts'
import { build, installPlugin } from './plugin.ts'

async function demo(): Promise<number> {
  build()
  await up()
  await loadBalancer('on')
  const { bin, run } = labPaths()
  installPlugin(bin)
  const command = ['telemetry', 'expose', 'grafana', '--allow-anonymous', '-y']
  console.log(`\n$ kubectl ${command.join(' ')}`)
  // The demo has its own CA, which is deleted together with the mesh.
  const environment = { ...labEnvironment(), XDG_DATA_HOME: join(run, 'data') }
  const { status } = spawnSync('kubectl', command, { env: environment, stdio: 'inherit' })
  console.log(`
The mesh stays up. In this shell:   eval "$(npm run --silent lab -- env)"; kubectl telemetry --help
To remove it completely:            npm run demo -- --down`)
  return status ?? 1
}

if (process.argv.includes('--down')) await down()
else process.exitCode = await demo()
