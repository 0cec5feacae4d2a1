import type { ForwardEvent } from '../operations/port-forward.ts'
import type { OutputFormat } from './output.ts'

/**
 * What is said of each event, on stdout and on stderr. As data one JSON object a line; YAML documents would need no less to read.
 * People get the URL once a pod is there, and after that only what changes.
 */
export function eventRenderer(
  format: OutputFormat | undefined,
): (event: ForwardEvent) => [page: string, aside: string] {
  if (format !== undefined) return (event) => [JSON.stringify(event), '']
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
