/** Reads and writes fields of an object by their path, through maps and through lists whose items have keys. Pure; returns copies. */
import { isDeepStrictEqual } from 'node:util'

/** The name of a field, or values that select an item of a list: `{ name: 'istio-proxy' }`. */
export type Step = string | Record<string, string>
export type Path = Step[]

type Fields = Record<string, unknown>

/** The value at a path; `undefined` if there is none. */
export function at(value: unknown, path: Path): unknown {
  return path.reduce(next, value)
}

/** How many steps of the path exist. */
export function existing(value: unknown, path: Path): number {
  let [found, steps] = [value, 0]
  for (const step of path) {
    found = next(found, step)
    if (found === undefined) break
    steps++
  }
  return steps
}

/** A copy of the whole with another value at the path; missing parents are created. */
export function within(whole: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (typeof step === 'string') {
    const fields = isFields(whole) ? whole : {}
    return { ...fields, [step]: within(fields[step], rest, value) }
  }
  const items = Array.isArray(whole) ? whole : []
  const present = items.find((item) => isItem(item, step))
  const item = within(present ?? step, rest, value)
  return present === undefined ? [...items, item] : items.map((one) => (one === present ? item : one))
}

/** A copy of the whole without the value at the path, and without parents that are empty then. @param kept how many of the first steps stay even if empty */
export function removed(whole: unknown, path: Path, kept: number): unknown {
  const last = path.at(-1)
  if (last === undefined || at(whole, path) === undefined) return whole
  const parentPath = path.slice(0, -1)
  const parent = at(whole, parentPath)
  const left =
    typeof last === 'string'
      ? without(parent as Fields, last)
      : (parent as unknown[]).filter((one) => !isItem(one, last))
  const after = within(whole, parentPath, left)
  return parentPath.length > kept && isEmpty(left, parentPath.at(-1)) ? removed(after, parentPath, kept) : after
}

/** An item of a list is empty if it has only its key. */
function isEmpty(value: unknown, step: Step | undefined): boolean {
  return Object.keys(value as object).length === 0 || isDeepStrictEqual(value, step)
}

function without(fields: Fields, name: string): Fields {
  const { [name]: _, ...rest } = fields
  return rest
}

function next(value: unknown, step: Step): unknown {
  if (typeof step === 'string') return isFields(value) ? value[step] : undefined
  return Array.isArray(value) ? value.find((item) => isItem(item, step)) : undefined
}

function isItem(item: unknown, keys: Record<string, string>): boolean {
  return isFields(item) && Object.entries(keys).every(([name, value]) => item[name] === value)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
