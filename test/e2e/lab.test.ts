// Tests of the lab itself. They stop and start the mesh, so they cannot run together with the other end-to-end tests.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { before, describe, it } from 'mocha'
import { cgroupRoots } from '../lab/cgroups.ts'
import { daemons } from '../lab/daemons.ts'
import { down, labEnvironment, siteOfCluster, up } from '../lab/lab.ts'
import { processes, runningDaemon } from '../lab/processes.ts'
import { readStatus } from '../lab/status.ts'

describe('the lab', function () {
  this.timeout('20m') // the first run compiles Kubernetes and Istio

  let cleanFootprint: Record<string, unknown>

  before(async () => {
    await down()
    cleanFootprint = footprint()
    await up()
  })

  it('is up after `up`', async () => {
    const status = await readStatus()
    assert.ok(status.up, status.lines.join('\n'))
  })

  it('changes nothing when `up` is repeated', async () => {
    const earlier = { daemons: daemonPids(), pods: pods(), generations: generations() }
    const started = Date.now()
    await up()
    assert.deepEqual({ daemons: daemonPids(), pods: pods(), generations: generations() }, earlier)
    assert.ok(Date.now() - started < 10_000, `took ${Date.now() - started} ms`)
  })

  for (const daemon of daemons) {
    it(`restarts ${daemon.name} by \`up\` after kill -9`, async () => {
      const victim = runningDaemon(daemon)
      assert.ok(victim, `${daemon.name} does not run`)
      process.kill(victim.pid, 'SIGKILL')
      await up()
      assert.notEqual(runningDaemon(daemon)?.pid, victim.pid)
      assertNewPodsRun(daemon.name)
    })
  }

  it('gets a second cluster while it is up, which changes nothing in the first', async () => {
    const earlier = { daemons: daemonPids(), pods: pods(), generations: generations() }
    await up({ clusters: 2 })
    assert.deepEqual({ daemons: daemonPids(), pods: pods(), generations: generations() }, earlier)
    assert.match(kubectl('--context', 'lab-2', 'get', 'nodes'), / Ready /)
  })

  it('leaves nothing of both clusters behind after `down`, within 10 seconds', async () => {
    const started = Date.now()
    await down()
    const took = Date.now() - started
    assert.deepEqual(footprint(), cleanFootprint)
    assert.ok(took < 10_000, `took ${took} ms`)
  })
})

/** A new Deployment needs every daemon: controllers make its pod, the scheduler places it, the kubelet runs it. */
function assertNewPodsRun(name: string): void {
  kubectl('create', 'deployment', name, '--image=mccutchen/go-httpbin:2.26.0')
  kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s')
  kubectl('delete', 'deployment', name)
}

/** All traces of a running lab on this machine. */
function footprint(): Record<string, unknown> {
  const sites = [siteOfCluster(1), siteOfCluster(2)]
  const entries = (directory: string) => (existsSync(directory) ? readdirSync(directory).sort() : [])
  return {
    processes: processes().filter(({ argv }) =>
      argv.some((argument) => sites.some(({ run }) => argument.includes(`${run}/`))),
    ),
    mounts: readFileSync('/proc/mounts', 'utf8'),
    namespaces: shell('ip netns list'),
    links: shell('ip -oneline link | cut -d: -f2'),
    routes: shell('ip route'),
    cgroups: sites.flatMap(({ nodeName }) => cgroupRoots(nodeName)).filter((path) => existsSync(path)),
    state: sites.map(({ run }) => existsSync(run)),
    containerLogs: entries('/var/log/containers'),
    shimSockets: entries('/run/containerd/s'),
    networkResults: entries('/var/lib/cni/results'),
  }
}

const daemonPids = () => daemons.map((daemon) => runningDaemon(daemon)?.pid)

const pods = () =>
  kubectl(
    'get',
    'pods',
    '-A',
    '-o',
    // Without those that a test before has ended.
    'go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.uid}}{{range .status.containerStatuses}} {{.restartCount}}{{end}}{{"\\n"}}{{end}}{{end}}',
  )

const generations = () =>
  kubectl(
    'get',
    'deployments,configmaps,services',
    '-A',
    '-o',
    'jsonpath={range .items[*]}{.metadata.uid} {.metadata.generation}{"\\n"}{end}',
  )

function kubectl(...args: string[]): string {
  return execFileSync('kubectl', args, { env: labEnvironment(), encoding: 'utf8' })
}

function shell(script: string): string {
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' })
}
