/** The directory for what this machine keeps: CAs with their keys, records, and certificates that its stores trust. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UserError } from '../errors.ts'

export const ELSEWHERE = 'export XDG_DATA_HOME=/DIRECTORY   # another place for CAs, which has to stay'

/** @throws UserError DATA_NOT_WRITTEN if there is none */
export function requireDirectory(directory: string | undefined): string {
  if (directory !== undefined) return directory
  const why = 'there is no directory for CAs: HOME is not an absolute path, and the account has no home directory'
  throw new UserError('DATA_NOT_WRITTEN', why, { suggestions: [ELSEWHERE] })
}

/** Level by level: Node's own `recursive` never ends where the file system answers ENOENT to mkdir, as /proc does. */
export async function makeDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found !== undefined) return
  if (dirname(path) !== path) await makeDirectory(dirname(path))
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error // another run was faster
  })
}

/** @throws UserError DATA_NOT_WRITTEN with the path, when a directory or a file cannot be written */
export async function written<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UserError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
    const why = `cannot write below ${directory}: ${(error as Error).message}`
    throw new UserError('DATA_NOT_WRITTEN', why, { suggestions: [ELSEWHERE], cause: error })
  }
}
