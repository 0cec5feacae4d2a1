/** A sample of the cases that is the same in every run. */
import { type Case, type CleanRun, lot, type Place, placesOf } from './cases.ts'
import { nameOfCase } from './judging.ts'

export interface Sample {
  /** Values for each kind of field. */
  values: number
  /** Operations for each of these values. */
  operations: number
  /** Cases whose name matches; all if left out. */
  only?: string | undefined
}

/** Objects with the same field, in one scene. */
const OBJECTS = 3

/** Each field with different values, and each value in different operations. */
export function chosenCases(runs: CleanRun[], { values, operations, only }: Sample): Case[] {
  const places = Map.groupBy(
    runs.flatMap((run) => placesOf(run, OBJECTS)),
    ({ alike }) => alike,
  )
  const pattern = new RegExp(only ?? '')
  return [...places].flatMap(([alike, ways]) => {
    const drawn = [...waysByValue(ways)].filter(([what]) => only === undefined || pattern.test(`${alike} = ${what}`))
    const lots = new Map(drawn.map(([what]) => [what, lot(alike + what)]))
    const some = drawn.toSorted(([a], [b]) => (lots.get(a) ?? 0) - (lots.get(b) ?? 0)).slice(0, values)
    return some.flatMap(([what, fitting]) =>
      drawWays(alike + what, fitting, operations).map((way) => caseOf(way, what)),
    )
  })
}

function waysByValue(ways: Place[]): Map<string, Place[]> {
  const byValue = new Map<string, Place[]>()
  for (const way of ways)
    for (const { what } of way.values) {
      const known = byValue.get(what)
      if (known === undefined) byValue.set(what, [way])
      else known.push(way)
    }
  return byValue
}

function drawWays(seed: string, ways: Place[], count: number): Place[] {
  const first = lot(seed)
  return Array.from(
    { length: Math.min(count, ways.length) },
    (_, index) => ways[(first + index * 7919) % ways.length],
  ).filter((way) => way !== undefined)
}

function caseOf({ values, ...place }: Place, what: string): Case {
  const hostile = values.find((value) => value.what === what)
  if (hostile === undefined)
    throw new Error(`${nameOfCase({ ...place, hostile: { what, make: () => undefined } })} is unknown`)
  return { ...place, hostile }
}
