import type { ForwardEvent } from '../operations/port-forward.ts'
import { type OutputFormat, renderData } from './output.ts'

/**
 * What is said of each event, on stdout and on stderr. As data one JSON object a line, or one YAML document each.
 * People get the URL once a pod is there, and after that only what changes.
 */
export function eventRenderer(
  format: OutputFormat | undefined,
): (event: ForwardEvent) => [page: string, aside: string] {
  if (format === 'json') return (event) => [JSON.stringify(event), '']
  if (format === 'yaml') return (event) => [`---\n${renderData(event, 'yaml')}`, '']
  const shown = new Set<string>()
  return (event) => {
    const { addon, url, pod, reason } = event
    const isFirst = !shown.has(addon)
    if (event.event === 'connected') shown.add(addon)
    switch (event.event) {
      case 'connected':
        return isFirst ? [`${addon.padEnd(11)} ${url}  (pod ${pod})`, ''] : ['', `${addon}: connected to ${pod}`]
      case 'waiting':
        return ['', isFirst ? `${addon}: no Ready pod yet, waiting; ${url}` : `${addon}: pod gone, waiting`]
      case 'lost':
        return ['', `${addon}: ${reason}; trying again`]
      case 'listening':
      case 'closed':
        return ['', '']
    }
  }
}
