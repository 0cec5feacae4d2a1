import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { apiServerServiceAddress, here, nodeAddress, runPaths } from './layout.ts'
import { command } from './subprocess.ts'

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']

/** The cluster's authority, the API server's and the admin's certificates, the service accounts' signing key. */
export async function makeCertificates(): Promise<void> {
  if (existsSync(runPaths.pki)) return
  const unfinished = `${runPaths.pki}.new`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true, mode: 0o700 })
  const openssl = (...args: string[]) => command(['openssl', ...args], { cwd: unfinished })
  const certificate = (name: string, subject: string, names: string) => {
    const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key']
    const usage = ['-addext', `subjectAltName=${names}`, '-addext', 'extendedKeyUsage=serverAuth,clientAuth']
    const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE', ...usage]
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
    return openssl('req', '-x509', ...issuer, ...key, '-days', '3650', '-subj', subject, ...leaf, ...files)
  }
  await openssl('req', '-x509', ...key, '-days', '3650', '-subj', '/CN=lab-ca', '-keyout', 'ca.key', '-out', 'ca.crt')
  const services = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'].map(
    (name) => `DNS:${name}`,
  )
  const addresses = ['127.0.0.1', nodeAddress, apiServerServiceAddress].map((address) => `IP:${address}`)
  await Promise.all([
    certificate('apiserver', '/CN=kube-apiserver', [...services, ...addresses].join(',')),
    certificate('admin', '/O=system:masters/CN=admin', 'DNS:admin'),
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'service-accounts.key'),
  ])
  await rename(unfinished, runPaths.pki)
}

/** Path of a file that makeCertificates wrote. */
export function pki(file: string, { runPaths: { pki } } = here): string {
  return join(pki, file)
}
