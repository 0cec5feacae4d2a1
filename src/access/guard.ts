/** What stands in front of an add-on at the gateway: whom it lets in. Pure. */

/** Both have to be satisfied, where there are both. */
export interface Guard {
  /** Networks from which requests are let in; every address when left out. */
  cidrs?: string[]
}

/** What was asked for; what is left out stays as it is. */
export interface GuardRequest {
  /** `any`: from every address. */
  cidrs?: string[] | 'any' | undefined
}

/** Guards by add-on. One that has none is not in it. */
export type Guards = Record<string, Guard>

/** Whether anybody is kept out. */
export function isGuarded(guard: Guard | undefined): guard is Guard {
  return guard?.cidrs !== undefined
}

/** A guard as it is to be: what was asked for, and of the rest what there is. */
export function guardWanted(asked: GuardRequest, present: Guard | undefined): Guard {
  const cidrs = asked.cidrs ?? present?.cidrs
  return { ...(cidrs === undefined || cidrs === 'any' ? {} : { cidrs }) }
}

/** In words that follow the add-on's name: `from 10.0.0.0/8`. */
export function guardWords({ cidrs }: Guard): string {
  return [...(cidrs === undefined ? [] : [`from ${cidrs.join(', ')}`])].join(', ')
}
