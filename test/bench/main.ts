/** `npm run bench -- NAME`: runs a comparison. No figure makes it fail, but a tool that does not serve does. */
import { up } from '../lab/lab.ts'
import { build } from '../plugin.ts'
import { type Options, parseOptions } from './options.ts'

interface Bench {
  sections: readonly string[]
  tools: readonly string[]
  run(options: Options): Promise<boolean>
}

const BENCHES: Record<string, () => Promise<Bench>> = {
  forward: () => import('./forward.ts'),
  soak: () => import('./soak.ts'),
  quickstart: () => import('./quickstart.ts'),
  multicluster: () => import('./multicluster.ts'),
  tracing: () => import('./tracing.ts'),
  traffic: () => import('./traffic.ts'),
}

const [name = '', ...words] = process.argv.slice(2)
const bench = await BENCHES[name]?.()
if (bench === undefined) usage(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')}`)
const { sections, tools, run } = bench
const options = chosen()
build()
await up()
if (!(await run(options))) process.exitCode = 1

function chosen(): Options {
  try {
    return parseOptions(words, sections, tools)
  } catch (error) {
    return usage(
      `${(error as Error).message}
usage: npm run bench -- ${name} [--only SECTIONS] [--tools TOOLS] [--rounds N]
sections: ${sections.join(',')}; tools: ${tools.join(',')}`,
    )
  }
}

function usage(text: string): never {
  console.error(text)
  process.exit(2)
}
