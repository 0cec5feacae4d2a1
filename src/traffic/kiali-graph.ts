/** The address of Kiali's graph for a namespace. Pure. */

/** Seconds that Kiali offers: https://kiali.io/docs/features/topology/ */
const RANGES = [60, 120, 300, 600, 1_800, 3_600, 10_800]
/** Seconds until the last requests are scraped. */
const SCRAPES = 60

/** @param page of Kiali, with its path @param milliseconds of the requests */
export function kialiGraph(page: string, namespace: string, milliseconds: number): string {
  const seconds = milliseconds / 1_000 + SCRAPES
  const range = RANGES.find((one) => one >= seconds) ?? RANGES.at(-1)
  const base = page.endsWith('/') ? page : `${page}/`
  return `${base}console/graph/namespaces?namespaces=${encodeURIComponent(namespace)}&duration=${range}`
}
