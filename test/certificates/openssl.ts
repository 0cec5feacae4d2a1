/** The real openssl: the strictest reader of certificates that every contributor has. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What `openssl verify -x509_strict` says of a leaf today; `OK` is the only way to pass. */
export function opensslVerify(authority: string, leaf: string, ...flags: string[]): string {
  return withFiles({ 'ca.crt': authority, 'leaf.crt': leaf }, (directory) => {
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...flags]
    const { status, stdout, stderr } = spawnSync('openssl', [...args, '-CAfile', 'ca.crt', 'leaf.crt'], {
      cwd: directory,
      encoding: 'utf8',
    })
    return status === 0 && stdout === 'leaf.crt: OK\n' ? 'OK' : `${stdout}${stderr}`
  })
}

/** `openssl x509 -text`, one trimmed line after another. */
export function opensslText(certificate: string): string[] {
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: certificate, encoding: 'utf8' })
  return text.split('\n').map((line) => line.trim())
}

/** The value of an X.509v3 extension in `openssl x509 -text`, with `critical` in front if it is. */
export function opensslExtension(certificate: string, name: string): string | undefined {
  const lines = opensslText(certificate)
  const at = lines.findIndex((line) => line.startsWith(`X509v3 ${name}:`))
  if (at < 0) return undefined
  const critical = lines[at]?.endsWith(': critical') ? 'critical ' : ''
  return critical + lines[at + 1]
}

function withFiles<T>(files: Record<string, string>, use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'kubectl-telemetry-openssl-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return use(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
