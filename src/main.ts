/** The whole of oclif with our commands: help, versions, words that are no command, and all of it when run from source. */
import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { Config, type Interfaces, run } from '@oclif/core'
import { guarded } from './guarded.ts'

/** @param root where `commands` is: `dist/`, or `src/` when run from source. What `npm run build` made has oclif's manifest there, too. */
export function main(root: URL): Promise<void> {
  return guarded(async () => {
    const packageJson = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as Interfaces.PJSON
    const config = await Config.load({
      root: fileURLToPath(root),
      // People type it as a kubectl plugin, so that is how help shows it.
      pjson: { ...packageJson, oclif: { ...packageJson.oclif, bin: 'kubectl telemetry', commands: './commands' } },
    })
    const words = process.argv.slice(2)
    // Whoever types the bare name is asked; a script gets the help.
    await run(words.length === 0 && isatty(0) && isatty(2) ? ['wizard'] : words, config)
  })
}
