import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withPackagesLock } from './lock.ts'
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

/** The programs of the image that plays `sleep`. */
const CLIENTS = { curl: '/usr/bin/curl', wget: '/usr/bin/wget' }
/** A browser, and what writes the CAs that it trusts. */
const BROWSER = { chromium: '/usr/bin/chromium', 'libnss3-tools': '/usr/bin/certutil' }
/** Debian's JDK; the last part of its folder is Debian's name of the processor. */
export const JDK = `/usr/lib/jvm/java-17-openjdk-${process.arch === 'x64' ? 'amd64' : process.arch}`
/** Maven's client and a JDK, which make Zipkin. */
const JAVA = { maven: '/usr/bin/mvn', 'openjdk-17-jdk-headless': join(JDK, 'jmods', 'java.base.jmod') }

/** Installs what is missing when that is possible, else names all of it in one message. */
export async function installMissingPackages(): Promise<void> {
  const missing = missingOf(packages)
  if (!(await succeeds(['python3', '-m', 'pip', '--version']))) missing.push('python3-pip')
  if (!(await succeeds(['go', 'version']))) {
    throw new Error('the lab compiles Kubernetes and Istio: install Go 1.26 or newer (https://go.dev/dl)')
  }
  if (missing.length > 0) await withPackagesLock(() => install(missing, 'the lab'))
}

export const installClients = () => installPackages(CLIENTS)
export const installBrowser = () => installPackages(BROWSER)
export const installJava = () => installPackages(JAVA)
/** All that tests take from Debian besides: apt reads its lists once. */
export const installForTests = () => installPackages({ ...CLIENTS, ...BROWSER, ...JAVA })

/** @param wanted packages, and a file of each that tells whether it is there */
async function installPackages(wanted: Record<string, string>): Promise<void> {
  // A test beside this one may want the same.
  if (missingOf(wanted).length > 0) await withPackagesLock(() => install(missingOf(wanted), 'this test'))
}

const missingOf = (wanted: Record<string, string>) =>
  Object.entries(wanted).flatMap(([name, file]) => (existsSync(file) ? [] : [name]))

async function install(missing: string[], who: string): Promise<void> {
  if (missing.length === 0) return
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
