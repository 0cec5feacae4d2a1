/** Pure: which requests the gateway lets through to an add-on. */
import type { Addon, AllowedRequests } from './addon.ts'
import { READING, rowsOf } from './catalog.ts'

/**
 * The requests that the gateway lets through to an add-on. Products that share a name are known by their page: an existing route shows
 * nothing else of them. Where that is open, the requests of each are allowed.
 * @param path of the page
 * @returns `undefined` if all are let through, as to a Service that is no add-on
 */
export function allowedRequests(name: string, path: string): AllowedRequests[] | undefined {
  const rows = rowsOf(name)
  if (rows.length === 0) return undefined
  const isOwn = (row: Addon) => row.path.byDefault !== '/' && row.path.setting === undefined
  const own = rows.filter((row) => isOwn(row) && row.path.byDefault === path)
  const fitting = own.length > 0 ? own : rows.filter((row) => rows.length === 1 || !isOwn(row))
  if (fitting.some(({ allowed }) => allowed === undefined)) return undefined
  const each = new Map(fitting.flatMap((row) => allowedAt(path, row)).map((one) => [`${one.methods} ${one.path}`, one]))
  return [...each.values()]
}

/** @param path a plain one (text.ts) */
function allowedAt(path: string, { allowed = [], allowedBelowPage }: Addon): AllowedRequests[] {
  if (allowedBelowPage !== true || path === '/') return allowed
  const prefix = path.replace(/\/$/, '').replaceAll('.', '\\.')
  const below = allowed.map((one) => ({ ...one, path: prefix + one.path }))
  return [...below, { methods: READING, path: prefix }]
}
