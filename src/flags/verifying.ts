/** Flags and the argument of `multicluster verify`. */
import { Args, Flags, type Interfaces } from '@oclif/core'
import { isDnsName } from '../certificates/names.ts'
import { usageError } from '../errors.ts'
import type { CallerChoice } from '../multicluster/verifying/caller.ts'
import type { VerifyRequest } from '../multicluster/verifying/verify.ts'
import { isPlainPath } from '../text.ts'

const NAME = '[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?'
const FROM = new RegExp(`^(${NAME})/(${NAME})$`)

/** @throws UserError VERIFY_FROM_INVALID (exit 2) */
function requireFrom(text: string): CallerChoice {
  const [, namespace, workload] = FROM.exec(text) ?? []
  if (namespace !== undefined && workload !== undefined) return { namespace, workload }
  throw usageError('VERIFY_FROM_INVALID', `--from ${JSON.stringify(text)} is not NAMESPACE/WORKLOAD`, [
    '--from foo/sleep',
  ])
}

/** The characters of an image, and its tag or digest. */
const IMAGE =
  /^[a-z0-9][\w./-]*(?::\d{1,5}\/[\w./-]+)?(?::[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64}|:[\w][\w.-]{0,127}@sha256:[0-9a-f]{64})$/i

/** @throws UserError PROBE_IMAGE_INVALID (exit 2) */
function requireImage(text: string): string {
  if (text.length <= 500 && IMAGE.test(text)) return text
  throw usageError(
    'PROBE_IMAGE_INVALID',
    `--probe-image ${JSON.stringify(text)} has no tag and no digest, so its program may be another one tomorrow`,
    ['--probe-image curlimages/curl:8.17.0'],
  )
}

/** @throws UserError VERIFY_HOST_INVALID (exit 2) */
function requireHost(text: string): string {
  if (isDnsName(text)) return text
  throw usageError('VERIFY_HOST_INVALID', `${JSON.stringify(text)} is not a host in lower case`, [
    'kubectl telemetry multicluster verify httpbin.bar.global',
  ])
}

/** @throws UserError VERIFY_PATH_INVALID (exit 2) */
function requirePath(text: string): string {
  if (text.startsWith('/') && isPlainPath(text)) return text
  throw usageError('VERIFY_PATH_INVALID', `--path ${JSON.stringify(text)} is not an absolute path without a query`, [
    '--path /headers',
  ])
}

export const verifyArg = Args.custom<string>({
  description: 'Host of an exported service (default: each exported service)',
  parse: async (text) => requireHost(text),
})()

/** Flags of `multicluster verify`, without those of every command. */
export const verifyFlags = {
  from: Flags.custom<CallerChoice>({
    helpValue: 'NAMESPACE/WORKLOAD',
    description: 'Workload, or pod, that calls (default: the only one with a sidecar)',
    parse: async (text) => requireFrom(text),
  })(),
  in: Flags.string({ helpValue: 'CLUSTER', description: 'Only calls from this cluster (default: all)' }),
  path: Flags.custom<string>({
    helpValue: 'PATH',
    default: '/',
    defaultHelp: async () => undefined,
    description: 'Path to request of HTTP ports (default: /)',
    parse: async (text) => requirePath(text),
  })(),
  'probe-image': Flags.custom<string>({
    helpValue: 'IMAGE:TAG',
    description:
      "Call from a pod of this image with the workload's service account, which is removed again (default: the workload's own container)",
    parse: async (text) => requireImage(text),
  })(),
}

type VerifyFlags = Interfaces.InferredFlags<typeof verifyFlags>

export function verifyRequestOf(flags: VerifyFlags, host: string | undefined): VerifyRequest {
  return { host, from: flags.from, caller: flags.in, probeImage: flags['probe-image'], path: flags.path }
}
