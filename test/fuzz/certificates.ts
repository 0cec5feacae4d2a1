/** Certificates of strangers, as PEM: valid DER with content that nobody expects. */
import { generateKeyPairSync } from 'node:crypto'
import forge from 'node-forge'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
const KEY = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()

interface Content {
  name?: string
  hosts?: string[]
  from?: string
  to?: string
}

function certificate({ name = 'x', hosts, from = '2020-01-01', to = '2040-01-01' }: Content): string {
  const key = forge.pki.privateKeyFromPem(KEY)
  const one = forge.pki.createCertificate()
  one.publicKey = forge.pki.setRsaPublicKey(key.n, key.e)
  one.serialNumber = '01'
  one.validity.notBefore = new Date(from)
  one.validity.notAfter = new Date(to)
  const subject = [{ name: 'commonName', value: name }]
  one.setSubject(subject)
  one.setIssuer(subject)
  if (hosts !== undefined)
    one.setExtensions([{ name: 'subjectAltName', altNames: hosts.map((value) => ({ type: 2, value })) }])
  one.sign(key, forge.md.sha256.create())
  return forge.pki.certificateToPem(one)
}

export const CERTIFICATES: Record<string, string> = {
  'a certificate without names': certificate({}),
  'a certificate with controls': certificate({ name: '\u001b[2Jx\u0007', hosts: ['\u001b[2Jx.example.com', 'a\nb'] }),
  'a certificate with 10,000 names': certificate({
    hosts: Array.from({ length: 10_000 }, (_, index) => `h${index}.example.com`),
  }),
  'a certificate of long ago': certificate({
    hosts: ['grafana.192.0.2.10.nip.io'],
    from: '1951-01-01',
    to: '1952-01-01',
  }),
  'a certificate for ever': certificate({ hosts: ['grafana.192.0.2.10.nip.io'], to: '9999-12-31' }),
  'a certificate with its key': certificate({ hosts: ['*'] }) + KEY,
}
