/** The second cluster of this lab is another lab, which a process of its own changes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { environmentOfLab, isSecondCluster, labSources, second, secondNumber } from './layout.ts'

/** True also when only half of it is left. */
export function isSecondThere(): boolean {
  return !isSecondCluster && existsSync(second.run)
}

/** `npm run lab -- WORDS` in the second cluster; its output appears as it comes. @throws Error when it fails, which it has told by then */
export async function inSecondCluster(...words: string[]): Promise<void> {
  const code = await exitCodeInSecond(...words)
  if (code !== 0) throw new Error(`\`${words.join(' ')}\` failed in the second cluster; see above`)
}

/** The same for commands whose exit code is an answer. */
export async function exitCodeInSecond(...words: string[]): Promise<number> {
  if (isSecondCluster) throw new Error('this is a second cluster, which has no second one')
  const child = spawn(process.execPath, [join(labSources, 'main.ts'), ...words], {
    env: environmentOfLab(secondNumber),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}
