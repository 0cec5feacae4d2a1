/** Random numbers that are the same in every run (mulberry32). @returns numbers from 0 to below 1 */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Cuts bytes into pieces of 1 to `longest` bytes. */
export function pieces(bytes: Buffer, random: () => number, longest: number): Buffer[] {
  const cut: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() * longest)
    cut.push(bytes.subarray(at, at + length))
    at += length
  }
  return cut
}
