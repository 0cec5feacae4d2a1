/** The program: oclif with our commands. `bin/` calls it from the built files or from the source. */
import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { Config, flush, handle, type Interfaces, run } from '@oclif/core'

/** @param root where `commands` is: `dist/`, or `src/` when run from source. What `npm run build` made has oclif's manifest there, too. */
export async function main(root: URL): Promise<void> {
  // `kubectl telemetry --help | head` closes our stdout early, which is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    const packageJson = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as Interfaces.PJSON
    const config = await Config.load({
      root: fileURLToPath(root),
      // People type it as a kubectl plugin, so that is how help shows it.
      pjson: { ...packageJson, oclif: { ...packageJson.oclif, bin: 'kubectl telemetry', commands: './commands' } },
    })
    const words = process.argv.slice(2)
    // Whoever types the bare name is asked; a script gets the help.
    await run(words.length === 0 && isatty(0) && isatty(2) ? ['wizard'] : words, config)
    await flush()
  } catch (error) {
    await handle(error as Error)
  }
}
