/** Fields of an object by their path, through maps and through lists whose items have keys. Pure; nothing is changed in place. */
import { isDeepStrictEqual } from 'node:util'

/** The name of a field, or values that the item of a list has: `{ name: 'istio-proxy' }`. */
export type Step = string | Record<string, string>
export type Path = Step[]

type Fields = Record<string, unknown>

/** What is there; `undefined` when nothing is. */
export function at(value: unknown, path: Path): unknown {
  return path.reduce(next, value)
}

/** How many of the path's steps lead to something. */
export function existing(value: unknown, path: Path): number {
  let [here, steps] = [value, 0]
  for (const step of path) {
    here = next(here, step)
    if (here === undefined) break
    steps++
  }
  return steps
}

/** The whole with another value there; what leads to it is made. */
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

/** The whole without it, and without what led to it and is empty then. @param kept so many of the first steps stay in any case */
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

/** An item that has nothing but its key is empty as well. */
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
