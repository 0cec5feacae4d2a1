import type { ForwardEvent } from '../forwarding/event-reporter.ts'
import type { ConnectionReport, TrafficReport } from '../forwarding/traffic-counter.ts'
import { type OutputFormat, page, renderData, renderDataLine } from './output.ts'

/**
 * Text of each event for stdout and for stderr. With -o json one object a line, with -o yaml one document each.
 * Without -o the URL goes to stdout once there is a pod; later changes go to stderr.
 */
export function eventRenderer(
  format: OutputFormat | undefined,
): (event: ForwardEvent) => [stdout: string, stderr: string] {
  if (format === 'json') return (event) => [renderDataLine(event), '']
  if (format === 'yaml') return (event) => [`---\n${renderData(event, 'yaml')}`, '']
  const shown = new Set<string>()
  return (event) => {
    const [stdout, stderr] = words(event)
    return [page([stdout]), page([stderr])]
  }

  function words(event: ForwardEvent): [stdout: string, stderr: string] {
    const { addon, url, pod, reason, namespace } = event
    const isFirst = !shown.has(addon)
    if (event.event === 'connected') shown.add(addon)
    switch (event.event) {
      case 'connected':
        return isFirst
          ? [`${addon.padEnd(11)} ${url}  (pod ${pod} in ${namespace})`, '']
          : ['', `${addon}: connected to ${pod}`]
      case 'waiting':
        return [
          '',
          isFirst ? `${addon}: waiting for a Ready pod; ${url}` : `${addon}: lost its pod, waiting for a Ready one`,
        ]
      case 'lost':
        return ['', `${addon}: ${reason}; retrying`]
      case 'listening':
      case 'closed':
        return ['', '']
    }
  }
}

/** `grafana: connection 3 ended after 0.12 s, 420 B sent, 12.3 KiB received`, as the client sees it. */
export function renderConnection({ addon, number, up, down, milliseconds }: ConnectionReport): string {
  const seconds = (milliseconds / 1000).toFixed(2)
  return `${addon}: connection ${number} ended after ${seconds} s, ${renderBytes(up)} sent, ${renderBytes(down)} received`
}

/** `2 of 31 connections open, 1.2 KiB sent, 3.4 MiB received, reconnected 2 times`. */
export function renderTraffic({ open, connections, up, down, reconnects }: TrafficReport): string {
  const parts = [
    connections === 1 ? `${open} of 1 connection open` : `${open} of ${connections} connections open`,
    `${renderBytes(up)} sent`,
    `${renderBytes(down)} received`,
    ...(reconnects === 0 ? [] : [reconnects === 1 ? 'reconnected once' : `reconnected ${reconnects} times`]),
  ]
  return parts.join(', ')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function renderBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1)
  const amount = bytes / 1024 ** power
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`
}
