/** Runs all of oclif: for help, the version, unknown commands, and when run from source. */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { Config, type Interfaces, run } from '@oclif/core'
import { guarded } from './guarded.ts'
import { NO_HOME } from './no-home.ts'

/** @param root the directory of `commands`: `dist/` with oclif's manifest after `npm run build`, or `src/` */
export function main(root: URL): Promise<void> {
  return guarded(async () => {
    const packageJson = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as Interfaces.PJSON
    pretendAccount()
    const config = await Config.load({
      root: fileURLToPath(root),
      // There are none, and oclif would look for them below $XDG_DATA_HOME.
      userPlugins: false,
      devPlugins: false,
      // Help shows it as a kubectl plugin, because that is how users run it.
      pjson: { ...packageJson, oclif: { ...packageJson.oclif, bin: 'kubectl telemetry', commands: './commands' } },
    })
    const words = process.argv.slice(2)
    // Without arguments a terminal gets the wizard, and a script gets the help.
    await run(words.length === 0 && isatty(0) && isatty(2) ? ['wizard'] : words, config)
  })
}

/** oclif asks for a home directory and a shell, which a user without a name may not have, and uses neither here. */
function pretendAccount(): void {
  try {
    userInfo()
  } catch {
    process.env.HOME ||= NO_HOME
    process.env.SHELL ||= '/bin/sh'
  }
}
