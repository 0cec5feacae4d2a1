// Container images from files of this machine, as the archive that `docker save` writes and `ctr images import` reads.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, readdirSync, realpathSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { command } from './subprocess.ts'
import { type TarEntry, tar } from './tar.ts'

export type ImageFile =
  /** A file or folder of this machine; `libraries` adds the shared libraries it is linked with. */
  | { from: string; to: string; libraries?: boolean }
  | { link: string; to: string }
  | { text: string; to: string }
  /** An empty directory that anyone may write in. */
  | { directory: string }

export interface Image {
  name: string
  config: { Entrypoint: string[]; User?: string; Env?: string[]; WorkingDir?: string }
  files: ImageFile[]
}

/** Writes the image under a name for the unfinished, then renames it: the archive appears whole or not at all. */
export async function writeImage(image: Image, unfinished: string, archive: string): Promise<void> {
  const layer = `${unfinished}.layer`
  await pipeline(tar(await layerEntries(image.files)), createWriteStream(layer))
  const digest = createHash('sha256')
  await pipeline(createReadStream(layer), digest)
  const config = imageConfig(image, digest.digest('hex'))
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`
  const manifest = [{ Config: configName, RepoTags: [image.name], Layers: ['layer.tar'] }]
  const members: TarEntry[] = [
    { type: 'file', name: configName, mode: 0o644, content: Buffer.from(config) },
    { type: 'file', name: 'manifest.json', mode: 0o644, content: Buffer.from(JSON.stringify(manifest)) },
    { type: 'file', name: 'layer.tar', mode: 0o644, content: { path: layer, size: statSync(layer).size } },
  ]
  await pipeline(tar(members), createWriteStream(unfinished))
  await rm(layer)
  await rename(unfinished, archive)
}

/** What decides an image's content: its definition, and size and time of each file of this machine. */
export function imageHash(image: Image): string {
  const digest = createHash('sha256').update(JSON.stringify(image))
  for (const file of image.files) {
    if (!('from' in file)) continue
    const { size, mtimeMs } = statSync(file.from)
    digest.update(`${size} ${mtimeMs}`)
  }
  return digest.digest('hex').slice(0, 12)
}

function imageConfig(image: Image, layerDigest: string): string {
  return JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created: '2026-01-01T00:00:00Z' }],
  })
}

async function layerEntries(files: readonly ImageFile[]): Promise<Iterable<TarEntry>> {
  const entries = new Map<string, TarEntry>()
  const add = (entry: TarEntry) => {
    const name = entry.name.replace(/^\//, '')
    if (entries.has(name)) return
    const parent = dirname(name)
    if (parent !== '.') add({ type: 'directory', name: parent, mode: 0o755 })
    entries.set(name, { ...entry, name })
  }
  for (const file of files) {
    if ('directory' in file) add({ type: 'directory', name: file.directory, mode: 0o1777 })
    else if ('link' in file) add({ type: 'link', name: file.to, target: file.link })
    else if ('text' in file) add({ type: 'file', name: file.to, mode: 0o644, content: Buffer.from(file.text) })
    else for (const entry of await hostEntries(file)) add(entry)
  }
  return entries.values()
}

async function hostEntries(file: { from: string; to: string; libraries?: boolean }): Promise<TarEntry[]> {
  const sources = statSync(file.from).isDirectory()
    ? readdirSync(file.from, { recursive: true, encoding: 'utf8' })
        .map((name) => join(file.from, name))
        .filter((path) => statSync(path).isFile())
    : [file.from]
  const entries = sources.map((path) => hostFile(path, join(file.to, relative(file.from, path))))
  if (!file.libraries) return entries
  const libraries = new Set((await Promise.all(sources.map(sharedLibraries))).flat())
  return [...entries, ...[...libraries].map((path) => hostFile(path, path))]
}

function hostFile(path: string, name: string): TarEntry {
  const real = realpathSync(path)
  const { mode, size } = statSync(real)
  return { type: 'file', name, mode: mode & 0o777, content: { path: real, size } }
}

/** The system's loader and libraries that ldd names, by their absolute paths. A static program has none; its own come with its folder. */
async function sharedLibraries(program: string): Promise<string[]> {
  const output = await command(['ldd', program]).catch(() => '')
  return output.split(/\s+/).filter((word) => /^\/(usr\/)?lib/.test(word) && !word.endsWith(':'))
}
