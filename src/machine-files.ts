/** Files of this machine that users name: read up to a size, and written without overwriting any. */
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from './errors.ts'

/** @returns undefined if there is no such file, and at most one byte more than `largest`. @throws Error for what is neither a file nor a folder */
export async function readAtMost(path: string, largest: number): Promise<'directory' | Uint8Array | undefined> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return 'directory'
    if (!found.isFile()) throw new Error('it is neither a file nor a folder')
    // The end is the last byte that is read.
    return await createReadStream(path, { end: largest })
      .toArray()
      .then((parts: Buffer[]) => Buffer.concat(parts))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** All names are looked at before the first file is written. */
export async function writeNewFiles(
  directory: string,
  files: readonly { path: string[]; data: string; mode: number }[],
): Promise<string[]> {
  const paths = files.map(({ path }) => join(directory, ...path))
  const present = paths.find((path) => existsSync(path))
  if (present !== undefined) throw fileExists(present)
  for (const [index, { data, mode }] of files.entries()) {
    const path = paths[index] ?? ''
    await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: Error) => {
      throw fileNotWritten(dirname(path), error)
    })
    await writeNewFile(path, data, mode)
  }
  return paths
}

function fileExists(path: string): UserError {
  return new UserError('FILE_EXISTS', `${path} already exists; it was not changed`)
}

function fileNotWritten(path: string, error: Error): UserError {
  return new UserError('FILE_NOT_WRITTEN', `cannot write ${path}: ${error.message}`, { cause: error })
}

/** @throws UserError FILE_EXISTS, FILE_NOT_WRITTEN */
export async function writeNewFile(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  try {
    await writeFile(path, data, { mode, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw fileExists(path)
    throw fileNotWritten(path, error as Error)
  }
}
