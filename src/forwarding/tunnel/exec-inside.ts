/** Runs one program in a container, and reads what it prints and how it ends. No shell, no stdin. */
import type { ProgramEnd, Upgraded } from '../../cluster/cluster.ts'
import { isMap, jsonOf, listOf, mapOf, textOf } from '../../shapes.ts'
import type { Timers } from '../../time/timers.ts'
import type { Program } from '../../world.ts'
import { type Channel, readChannels } from './exec-streams.ts'
import type { TunnelWorld } from './over-tunnel.ts'

/** Bytes of each output that are kept by default. */
const LARGEST = 64 * 1024
/** Bytes of the error channel. A Status is some hundred. */
const LARGEST_STATUS = 64 * 1024
/** Milliseconds that the connection may stay open after the Status: an output that is still on its way comes in the same burst. */
const BURST = 250

/** What runtimes say when the container has no such program: runc, crun, and gVisor. */
const ABSENT = /executable file .*not found|no such file or directory|failed to find (the )?executable/i
/** CRI-O reports it as the end of a program, on stderr. */
const ABSENT_ON_STDERR = /executable file [^\n]*not found in \$PATH/

/** @throws UserError FORBIDDEN, NOT_FOUND, REJECTED, CLUSTER_UNREACHABLE */
export async function execInside(program: Program, { cluster, timers }: TunnelWorld): Promise<ProgramEnd> {
  const { pod, container, argv } = program
  return endOf(program, await cluster.exec(pod, { container, argv }), timers)
}

function endOf({ timeout, largest = LARGEST }: Program, upgraded: Upgraded, timers: Timers): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const kept = {
      stdout: new Kept(largest),
      stderr: new Kept(largest),
      status: new Kept(LARGEST_STATUS),
    } satisfies Record<Channel, Kept>
    let callOff = timers.after(timeout, () =>
      finish({ failed: `it did not end in ${timeout / 1000} s`, absent: false }),
    )
    const finish = (end: ProgramEnd) => {
      callOff()
      close()
      resolve(end)
    }
    const conclude = () => finish(concluded(kept))
    const close = readChannels(upgraded, {
      data: (channel, bytes) => {
        kept[channel].add(bytes)
        if (channel !== 'status' || statusOf(kept.status.text) === undefined) return
        callOff()
        callOff = timers.after(BURST, conclude)
      },
      close: conclude,
    })
  })
}

/** The first bytes of an output. */
class Kept {
  readonly #largest: number
  readonly #parts: Buffer[] = []
  #length = 0
  isCut = false

  constructor(largest: number) {
    this.#largest = largest
  }

  add(bytes: Buffer): void {
    const part = bytes.subarray(0, this.#largest - this.#length)
    if (part.length > 0) this.#parts.push(part)
    this.#length += part.length
    this.isCut ||= part.length < bytes.length
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('utf8')
  }
}

function concluded({ stdout, stderr, status }: Record<Channel, Kept>): ProgramEnd {
  const end = statusOf(status.text)
  if (end === undefined) return { failed: 'the connection was lost before it ended', absent: false }
  const exitCode = exitCodeOf(end)
  if (exitCode === undefined) {
    const failed = textOf(end.message) ?? 'the kubelet does not say why'
    return { failed, absent: ABSENT.test(failed) }
  }
  if (exitCode !== 0 && stdout.text === '' && ABSENT_ON_STDERR.test(stderr.text))
    return { failed: stderr.text.trim(), absent: true }
  return { exitCode, stdout: stdout.text, stderr: stderr.text, cut: { stdout: stdout.isCut, stderr: stderr.isCut } }
}

/** @returns undefined while the Status is not complete */
function statusOf(text: string): Record<string, unknown> | undefined {
  const status = text.trimEnd().endsWith('}') ? jsonOf(text) : undefined
  return isMap(status) ? status : undefined
}

/** https://github.com/kubernetes/kubelet, pkg/cri/streaming/remotecommand. @returns undefined if no program ran */
function exitCodeOf({ status, reason, details }: Record<string, unknown>): number | undefined {
  if (status === 'Success') return 0
  if (reason !== 'NonZeroExitCode') return undefined
  const causes = listOf(mapOf(details).causes).map(mapOf)
  const code = textOf(causes.find((cause) => cause.reason === 'ExitCode')?.message) ?? ''
  return /^\d{1,3}$/.test(code) ? Number(code) : undefined
}
