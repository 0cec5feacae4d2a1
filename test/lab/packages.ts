import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { withBuildLock } from './lock.ts'
import { step } from './progress.ts'
import { command, succeeds } from './subprocess.ts'

/** What the lab takes from Debian, and a file that tells whether it is there. */
const packages: Record<string, string> = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  'containernetworking-plugins': '/usr/lib/cni/ptp',
  iptables: '/usr/sbin/xtables-nft-multi',
  'busybox-static': '/bin/busybox',
  openssl: '/usr/bin/openssl',
  iproute2: '/sbin/ip',
  'util-linux': '/usr/bin/nsenter',
  mount: '/bin/mount',
}

/** Installs what is missing when that is possible, else names all of it in one message. */
export async function installMissingPackages(): Promise<void> {
  const missing = Object.entries(packages)
    .filter(([, file]) => !existsSync(file))
    .map(([name]) => name)
  if (!(await succeeds(['python3', '-m', 'pip', '--version']))) missing.push('python3-pip')
  if (!(await succeeds(['go', 'version']))) {
    throw new Error('the lab compiles Kubernetes and Istio: install Go 1.26 or newer (https://go.dev/dl)')
  }
  if (missing.length > 0) await withBuildLock(() => install(missing, 'the lab'))
}

/** What a test takes from Debian besides: packages, and a file of each that tells whether it is there. */
export async function installPackages(wanted: Record<string, string>): Promise<void> {
  const missing = () => Object.entries(wanted).flatMap(([name, file]) => (existsSync(file) ? [] : [name]))
  // A test beside this one may want the same, and apt refuses to run twice at a time.
  if (missing().length > 0) await withBuildLock(() => install(missing(), 'this test'))
}

/** The programs of the image that plays `sleep`. */
export function installClients(): Promise<void> {
  return installPackages({ curl: '/usr/bin/curl', wget: '/usr/bin/wget' })
}

async function install(missing: string[], who: string): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`${who} needs these packages: ${missing.join(' ')} (Debian names). Install them and repeat.`)
  }
  await step(`installing ${missing.join(' ')}`, async () => {
    await command(['apt-get', 'update', '--quiet'])
    await withoutStartingServices(() =>
      command(['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', ...missing], {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
      }),
    )
  })
}

/** The containerd package starts a system service; the lab runs a containerd of its own. */
async function withoutStartingServices(install: () => Promise<unknown>): Promise<void> {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) {
    await install()
    return
  }
  await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await install()
  } finally {
    await rm(policy)
  }
}
