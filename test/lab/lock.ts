import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkout, labCommand, labSources, lockSockets, run, runPaths } from './layout.ts'
import { say } from './progress.ts'

interface Holder {
  pid: number
  verb: string
  checkout: string
}

/** One command at a time changes a lab. A second one fails and names the first. */
export async function withLock<T>(verb: string, work: () => Promise<T>): Promise<T> {
  const server = await take(lockSockets.lab, verb)
  if (server === undefined) {
    const holder = await lockHolder(lockSockets.lab)
    throw new Error(
      `the lab is busy: \`${holder.verb}\` of ${holder.checkout} (pid ${holder.pid}). ` +
        `Wait for it, or end it with: kill ${holder.pid}`,
    )
  }
  try {
    return await work()
  } finally {
    server.close()
  }
}

/** One build at a time fills the cache, which all labs share. A second one waits: then it finds the work done. */
export function withBuildLock<T>(work: () => Promise<T>): Promise<T> {
  return withSharedLock('build', 'waiting for the build of another lab …', work)
}

/** apt refuses to run twice at a time. Beside a build it may run. */
export function withPackagesLock<T>(work: () => Promise<T>): Promise<T> {
  return withSharedLock('packages', 'waiting for the packages of another lab …', work)
}

async function withSharedLock<T>(name: 'build' | 'packages', waiting: string, work: () => Promise<T>): Promise<T> {
  let server = await take(lockSockets[name], name)
  if (server === undefined) say(waiting)
  for (; server === undefined; server = await take(lockSockets[name], name)) await sleep(500)
  try {
    return await work()
  } finally {
    server.close()
  }
}

/** @returns undefined when another process holds it */
function take(socket: string, verb: string): Promise<Server | undefined> {
  const self: Holder = { pid: process.pid, verb, checkout }
  const server = createServer((client) => client.on('error', () => {}).end(JSON.stringify(self)))
  return new Promise((resolve) => server.once('error', () => resolve(undefined)).listen(socket, () => resolve(server)))
}

async function lockHolder(socket: string): Promise<Holder> {
  return JSON.parse(await text(connect(socket)))
}

interface Owner {
  checkout: string
  definition: string
}

/** Records this checkout as the running mesh's owner, or refuses when another's mesh is of another make. */
export async function claim(): Promise<void> {
  const owner = await readOwner()
  const definition = definitionHash()
  if (owner === undefined) {
    await mkdir(run, { recursive: true })
    await writeFile(runPaths.owner, JSON.stringify({ checkout, definition } satisfies Owner))
  } else if (owner.definition === definition) {
    if (owner.checkout !== checkout) say(`using the mesh of ${owner.checkout}: its test/lab is the same`)
  } else if (owner.checkout === checkout) {
    say(`test/lab has changed since this mesh came up; \`${labCommand} down\` and \`up\` apply the change`)
  } else {
    throw new Error(
      `a mesh is running that ${owner.checkout} brought up, and its test/lab differs from this checkout's. ` +
        `End it with: cd ${owner.checkout} && ${labCommand} down`,
    )
  }
}

/** Who brought up the mesh; undefined when there is none. */
export async function readOwner(): Promise<Owner | undefined> {
  return existsSync(runPaths.owner) ? JSON.parse(await readFile(runPaths.owner, 'utf8')) : undefined
}

/** Two checkouts with the same sources here make the same mesh. */
function definitionHash(): string {
  const digest = createHash('sha256')
  for (const name of readdirSync(labSources, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(labSources, name)
    if (statSync(path).isFile()) digest.update(name).update(readFileSync(path))
  }
  return digest.digest('hex').slice(0, 12)
}
