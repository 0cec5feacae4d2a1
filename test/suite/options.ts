/** What `npm test -- …` takes. */
import { parseArgs } from 'node:util'

export interface Options {
  /** Without the mesh. */
  unit: boolean
  /** Only what depends on Istio, on another version. */
  istio: string | undefined
  /** Numbers of the labs whose meshes the end-to-end tests use. */
  labs: number[]
  /** Keep how long each end-to-end file took, for the order of the next run. */
  record: boolean
  /** Only these; everything when there are none. Relative to the working directory. */
  files: string[]
}

/** @throws TypeError for what is no option, or no list of labs */
export function readOptions(words: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      unit: { type: 'boolean', default: false },
      istio: { type: 'string' },
      labs: { type: 'string', default: '1,2,3' },
      record: { type: 'boolean', default: false },
    },
  })
  const labs = values.labs.split(',')
  if (new Set(labs).size < labs.length || !labs.every((lab) => /^[1-9]$/.test(lab)))
    throw new TypeError(`--labs takes the numbers of labs, like 1,2,3; not ${values.labs}`)
  if (values.record && positionals.length > 0) throw new TypeError('--record needs all files')
  return {
    unit: values.unit,
    istio: values.istio,
    labs: labs.map(Number),
    record: values.record,
    files: positionals,
  }
}
