/** The add-ons that can be installed: Istio's samples/addons. */
import { nearest } from '../addons/nearest.ts'
import { usageError } from '../errors.ts'

export interface Sample {
  /** The argument of `addons install`. */
  name: string
  title: string
  /** Below `samples/addons`, without `.yaml`. */
  file: string
  /** The name by which `expose` knows it; left out: the same. */
  exposedAs?: string
  /** Names of images, without registry and tag, by which a running one is known. The tag is its version. */
  images: string[]
}

export const SAMPLES: readonly Sample[] = [
  { name: 'prometheus', title: 'Prometheus', file: 'prometheus', images: ['prometheus'] },
  { name: 'grafana', title: 'Grafana', file: 'grafana', images: ['grafana', 'grafana-oss', 'grafana-enterprise'] },
  { name: 'kiali', title: 'Kiali', file: 'kiali', images: ['kiali'] },
  {
    name: 'jaeger',
    title: 'Jaeger',
    file: 'jaeger',
    exposedAs: 'tracing',
    images: ['jaeger', 'all-in-one', 'jaeger-query'],
  },
  { name: 'zipkin', title: 'Zipkin', file: 'extras/zipkin', exposedAs: 'tracing', images: ['zipkin', 'zipkin-slim'] },
  {
    name: 'skywalking',
    title: 'SkyWalking',
    file: 'extras/skywalking',
    exposedAs: 'tracing',
    images: ['skywalking-ui'],
  },
  { name: 'loki', title: 'Loki', file: 'loki', images: ['loki'] },
]

export const SAMPLE_NAMES: readonly string[] = SAMPLES.map(({ name }) => name)

/** Those of Istio's quick start. */
export const QUICK_START: readonly string[] = ['prometheus', 'grafana', 'kiali', 'jaeger']

/**
 * The samples of these names, in the order of the catalogue: what others are configured to ask comes first.
 * @throws UserError SAMPLE_UNKNOWN (exit 2), naming the nearest one
 */
export function requireSamples(words: readonly string[]): Sample[] {
  for (const word of words) {
    if (SAMPLE_NAMES.includes(word)) continue
    const guess = word === 'tracing' ? 'jaeger' : nearest(word.toLowerCase(), SAMPLE_NAMES)
    const message = `there is no add-on ${JSON.stringify(word)} to install; known: ${SAMPLE_NAMES.join(', ')}`
    throw usageError('SAMPLE_UNKNOWN', message, guess === undefined ? [] : [`did you mean "${guess}"?`])
  }
  return SAMPLES.filter(({ name }) => words.includes(name))
}
