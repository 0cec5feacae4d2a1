/** How many requests are sent, and how fast: what is asked for, within the limits (docs/decisions/0037-what-traffic-refuses.md). Pure. */
import { type UserError, usageError } from '../errors.ts'

/** More is a load test, which is not what this is for. */
export const LIMITS = { requests: 10_000, rate: 200, milliseconds: 30 * 60_000, concurrency: 32 } as const

/** Without flags. */
export const USUAL = { requests: 1_000, rate: 20, concurrency: 4, maxErrors: 0.1 } as const

/** What the flags say. */
export interface Amount {
  requests?: number | undefined
  /** A second. */
  rate: number
  /** Milliseconds. */
  duration?: number | undefined
}

export interface Schedule {
  requests: number
  /** A second. */
  rate: number
}

/** Parses a whole number from 1. @throws UserError TRAFFIC_LIMIT (exit 2) */
export function requireCount(text: string, name: 'requests' | 'concurrency'): number {
  const most = LIMITS[name]
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (count >= 1 && count <= most) return count
  throw outside(
    `--${name} ${JSON.stringify(text)} is not a number from 1 to ${most}`,
    `--${name} ${count > most ? most : USUAL[name]}`,
  )
}

/** Parses requests a second: `20`, `0.5`. @throws UserError TRAFFIC_LIMIT (exit 2) */
export function requireRate(text: string): number {
  const rate = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (rate > 0 && rate <= LIMITS.rate) return rate
  const message = `--rate ${JSON.stringify(text)} is not a number of requests a second above 0 and up to ${LIMITS.rate}`
  throw outside(message, `--rate ${rate > LIMITS.rate ? LIMITS.rate : USUAL.rate}`)
}

/** Parses `10%`. @returns the part of all: 0.1. @throws UserError TRAFFIC_LIMIT (exit 2) */
export function requireShare(text: string): number {
  const percent = /^\d{1,3}(\.\d{1,3})?%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN
  if (percent <= 100) return percent / 100
  throw outside(`--max-errors ${JSON.stringify(text)} is not a percentage from 0% to 100%`, '--max-errors 10%')
}

/**
 * How many requests fit: `--requests`, or as many as are due within `--for`, or the fewer of both.
 * @throws UserError TRAFFIC_LIMIT (exit 2)
 */
export function scheduleOf({ requests, rate, duration }: Amount): Schedule {
  if (duration !== undefined && duration > LIMITS.milliseconds)
    throw outside(`--for is ${Math.ceil(duration / 60_000)} minutes; at most 30 are allowed`, '--for 30m')
  const within = duration === undefined ? undefined : Math.max(1, Math.ceil((duration * rate) / 1_000))
  const count = Math.min(requests ?? within ?? USUAL.requests, within ?? Number.POSITIVE_INFINITY)
  if (count > LIMITS.requests) {
    const fitting = Math.floor((LIMITS.requests / (duration ?? 1)) * 1_000_000) / 1_000
    const message = `--for with ${rate} requests a second are ${count} requests; at most ${LIMITS.requests} are allowed`
    throw outside(message, `--rate ${fitting}`, `--requests ${LIMITS.requests}`)
  }
  if (duration === undefined && (count / rate) * 1_000 > LIMITS.milliseconds) {
    const message = `${count} requests at ${rate} a second take ${Math.ceil(count / rate / 60)} minutes; at most 30 are allowed`
    throw outside(message, '--for 30m', `--rate ${Math.ceil((count / LIMITS.milliseconds) * 1_000_000) / 1_000}`)
  }
  return { requests: count, rate }
}

/** When a request is due, in milliseconds after the start. @param index 0 for the first one */
export function dueAt(index: number, { rate }: Pick<Schedule, 'rate'>): number {
  return (index * 1_000) / rate
}

function outside(message: string, ...suggestions: string[]): UserError {
  return usageError('TRAFFIC_LIMIT', message, suggestions)
}
