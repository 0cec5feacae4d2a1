/** A CA of somebody else, made by openssl, as the options of `kubectl create secret`. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Workplace } from '../mesh.ts'

interface Files {
  certificate: string
  key: string
}

function authority(workplace: Workplace): Files {
  const [certificate, key] = ['foreign-ca.pem', 'foreign-ca.key'].map((name) => join(workplace.directory, name))
  assert.ok(certificate !== undefined && key !== undefined)
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/O=Somebody/CN=Root']
  const usage = ['-addext', 'basicConstraints=critical,CA:true', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  const { exitCode, stderr } = workplace.run('openssl', [...words, ...usage, '-keyout', key, '-out', certificate])
  assert.equal(exitCode, 0, stderr)
  return { certificate, key }
}

/** As Istio's page on plugged-in CAs makes it. */
export function pemSecret(workplace: Workplace): string[] {
  const { certificate, key } = authority(workplace)
  const files = {
    'ca-cert.pem': certificate,
    'ca-key.pem': key,
    'root-cert.pem': certificate,
    'cert-chain.pem': certificate,
  }
  return Object.entries(files).map(([name, file]) => `--from-file=${name}=${file}`)
}

/** As cert-manager makes it, but for `ca.crt`. */
export function tlsSecret(workplace: Workplace): string[] {
  const { certificate, key } = authority(workplace)
  return [`--cert=${certificate}`, `--key=${key}`]
}
