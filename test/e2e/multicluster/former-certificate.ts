/** A client whose certificate a cluster's own former CA signed. */
import { spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyIdentifier, serialNumber, signCertificate } from '../../../src/certificates/x509.ts'
import { siteOfCluster } from '../../lab/lab.ts'
import type { Workplace } from '../mesh.ts'

export interface ClientFiles {
  certificate: string
  key: string
}

/** PEM files of a workload's certificate. */
export function formerCertificate(workplace: Workplace): ClientFiles {
  const [certificate, key] = ['ca-cert\\.pem', 'ca-key\\.pem'].map((name) =>
    Buffer.from(
      workplace.kubectl('-n', 'istio-system', 'get', 'secret', 'istio-ca-secret', `-o=jsonpath={.data.${name}}`),
      'base64',
    ).toString(),
  )
  const { stdout } = spawnSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], {
    encoding: 'utf8',
  })
  const leaf = signCertificate({
    publicKey: createPublicKey(stdout).export({ type: 'spki', format: 'pem' }).toString(),
    subject: { organization: 'e2e', commonName: 'former' },
    issuer: certificate ?? '',
    serial: serialNumber(new Uint8Array(16)),
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', clientAuth: true },
      // Both clusters' own roots have one name: only this tells which of them signed.
      { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(certificate ?? '') },
      {
        name: 'subjectAltName',
        critical: true,
        altNames: [{ type: 6, value: 'spiffe://cluster.local/ns/e2e/sa/former' }],
      },
    ],
    signingKey: key ?? '',
  })
  const files = { certificate: join(workplace.directory, 'former.pem'), key: join(workplace.directory, 'former.key') }
  writeFileSync(files.certificate, leaf)
  writeFileSync(files.key, stdout, { mode: 0o600 })
  return files
}

/** Asks the sidecar of httpbin over mutual TLS, from the node of the second cluster. @returns `accepted: …` or `refused: …` */
export function handshake(workplace: Workplace, namespace: string, { certificate, key }: ClientFiles): string {
  const pods = ['-n', namespace, 'get', 'pods', '-l', 'app=httpbin', '-o=jsonpath={.items[0].status.podIP}']
  const address = workplace.kubectl(...pods)
  const node = `--net=/run/netns/${siteOfCluster(2).namespace}`
  const words = [
    ...[node, '--', 'curl', '-sS', '-k', '-m', '5', '--cert', certificate, '--key', key],
    ...['-o', '/dev/null', '-w', '%{http_code}', `https://${address}:8080/status/200`],
  ]
  const { stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' })
  return stdout === '200' ? 'accepted: 200' : `refused: ${stdout} ${stderr}`
}
