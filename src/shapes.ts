/**
 * Shapes of what has no schema: annotations with texts in them, managedFields, patches of EnvoyFilters, answers of programs. Anybody who may
 * write them chooses their shape, so it is looked at before they are used. Pure.
 */

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns no fields for everything that is not a map */
export function mapOf(value: unknown): Record<string, unknown> {
  return isMap(value) ? value : {}
}

/** @returns no items for everything that is not a list */
export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A number, also in quotes, as programs in Go read it. @returns NaN for everything else */
export function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN
}

/** @returns only the texts of a list */
export function textsOf(value: unknown): string[] {
  return listOf(value).filter((item) => typeof item === 'string')
}

/** Kubernetes' and Istio's own objects are at most half as deep. Functions that call themselves for each level need a limit. */
const DEEPEST = 100

/** Whether nothing in it is nested deeper than these levels. */
export function isFlat(value: unknown, deepest = DEEPEST): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) return false
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
  return true
}

/** A text in JSON. @returns undefined for other texts, and for values that are nested too deeply */
export function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return isFlat(value) ? value : undefined
  } catch {
    return undefined
  }
}
