import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { checkout, labSources, run, runPaths } from './layout.ts'
import { say } from './progress.ts'

/** Abstract: it lives in the kernel and goes with the process that holds it, so a dead holder needs no clearing up. */
const lockSocket = '\0kubectl-telemetry-lab'

interface Holder {
  pid: number
  verb: string
  checkout: string
}

/** One command at a time changes the lab on this machine. Whoever comes second learns who is at work. */
export async function withLock<T>(verb: string, work: () => Promise<T>): Promise<T> {
  const self: Holder = { pid: process.pid, verb, checkout }
  const server = createServer((socket) => socket.on('error', () => {}).end(JSON.stringify(self)))
  try {
    await listen(server)
  } catch {
    const holder = await lockHolder()
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

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen(lockSocket, resolve))
}

async function lockHolder(): Promise<Holder> {
  return JSON.parse(await text(connect(lockSocket)))
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
    say('test/lab has changed since this mesh came up; `npm run lab -- down` and `up` apply the change')
  } else {
    throw new Error(
      `a mesh is running that ${owner.checkout} brought up, and its test/lab differs from this checkout's. ` +
        `End it with: cd ${owner.checkout} && npm run lab -- down`,
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
