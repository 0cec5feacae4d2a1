import { createReadStream } from 'node:fs'

/** One member of a tar archive. Content is bytes, or a file on this machine with its size. */
export type TarEntry =
  | { type: 'file'; name: string; mode: number; content: Buffer | { path: string; size: number } }
  | { type: 'directory'; name: string; mode: number }
  | { type: 'link'; name: string; target: string }

const BLOCK = 512
/** Where the first part of a long name is in a header. */
const PREFIX = 345
const [longestName, longestPrefix] = [100, 155]
const typeFlags = { file: '0', link: '2', directory: '5' } as const

/** The archive's bytes, in the POSIX ustar format; owner 0 and no times, so the same members give the same archive. */
export async function* tar(entries: Iterable<TarEntry>): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const size = sizeOf(entry)
    yield header(entry, size)
    if (entry.type !== 'file') continue
    if (Buffer.isBuffer(entry.content)) yield entry.content
    else yield* createReadStream(entry.content.path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
  }
  yield Buffer.alloc(2 * BLOCK) // end of archive
}

function sizeOf(entry: TarEntry): number {
  if (entry.type !== 'file') return 0
  return Buffer.isBuffer(entry.content) ? entry.content.length : entry.content.size
}

function header(entry: TarEntry, size: number): Buffer {
  const { prefix, name } = divided(entry.name)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, offset: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset)
  block.write(name, 0)
  octal(entry.type === 'link' ? 0o777 : entry.mode, 100, 8)
  octal(0, 108, 8) // uid
  octal(0, 116, 8) // gid
  octal(size, 124, 12)
  octal(0, 136, 12) // mtime
  block.write(' '.repeat(8), 148) // the checksum counts itself as spaces
  block.write(typeFlags[entry.type], 156)
  if (entry.type === 'link') block.write(entry.target, 157)
  block.write('ustar\x0000', 257)
  block.write(prefix, PREFIX)
  const checksum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** A long name is in two parts, divided at a slash that is left out. */
function divided(whole: string): { prefix: string; name: string } {
  if (Buffer.byteLength(whole) <= longestName) return { prefix: '', name: whole }
  for (let slash = whole.indexOf('/'); slash > 0; slash = whole.indexOf('/', slash + 1)) {
    const [prefix, name] = [whole.slice(0, slash), whole.slice(slash + 1)]
    if (Buffer.byteLength(name) <= longestName && Buffer.byteLength(prefix) <= longestPrefix) return { prefix, name }
  }
  throw new RangeError(`tar: the name is too long: ${whole}`)
}
