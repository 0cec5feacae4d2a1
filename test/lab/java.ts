// A Java program as Maven's client gets it, with a runtime made for it.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { JavaComponent } from './components.ts'
import { JDK } from './packages.ts'
import { command } from './subprocess.ts'

/** A fixed one: the client would look for the newest. */
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1'

/** Makes the folder `program`, the unpacked archive, which starts faster than the archive, and `runtime`. */
export async function buildJava(component: JavaComponent, output: string): Promise<void> {
  await Promise.all([
    unpackProgram(component, join(output, 'program')),
    makeRuntime(component, join(output, 'runtime')),
  ])
}

/** @throws Error when the archive is not the one that the component names by its digest */
async function unpackProgram({ artifact, sha256 }: JavaComponent, output: string): Promise<void> {
  const [group = '', name, version, packaging, classifier] = artifact.split(':')
  // A repository of its own: nothing stays in the home of the user, and what is there is not trusted.
  const repository = `${output}-repository`
  const folder = join(repository, ...group.split('.'), `${name}`, `${version}`)
  const archive = join(folder, `${name}-${version}-${classifier}.${packaging}`)
  const wanted = [`-Dartifact=${artifact}`, '-Dtransitive=false', `-Dmaven.repo.local=${repository}`]
  await command(['mvn', '--batch-mode', '--quiet', `${PLUGIN}:get`, ...wanted])
  const digest = createHash('sha256')
    .update(await readFile(archive))
    .digest('hex')
  if (digest !== sha256) throw new Error(`${artifact} has the SHA-256 ${digest}, not ${sha256}`)
  await mkdir(output)
  await command(['python3', '-m', 'zipfile', '-e', archive, output])
  await rm(repository, { recursive: true })
}

/** Less than half of the JRE's size. */
async function makeRuntime({ modules }: JavaComponent, output: string): Promise<void> {
  const small = ['--strip-java-debug-attributes', '--no-header-files', '--no-man-pages']
  await command([join(JDK, 'bin', 'jlink'), '--add-modules', modules.join(','), ...small, '--output', output])
}
