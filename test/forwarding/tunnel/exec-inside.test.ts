/** What a program prints and how it ends, over both protocols. The fake kubelet shares no code with src. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ProgramEnd, Upgraded } from '../../../src/cluster/cluster.ts'
import { execInside } from '../../../src/forwarding/tunnel/exec-inside.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeKubelet, frame, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../../fakes/fake-timers.ts'

const SUCCESS = { metadata: {}, status: 'Success' }
const CHANNEL = { stdout: 1, stderr: 2, status: 3 } as const
const STREAM = { stdout: 3, stderr: 5, status: 1 } as const

function ended(code: string) {
  const details = { causes: [{ reason: 'ExitCode', message: code }] }
  return { status: 'Failure', reason: 'NonZeroExitCode', message: `command terminated with exit code ${code}`, details }
}

function failed(message: string) {
  return { status: 'Failure', reason: 'InternalError', message, code: 500 }
}

/** A program that a test plays. */
class Played {
  readonly kubelet: FakeKubelet
  readonly timers = new FakeTimers()
  readonly end: Promise<ProgramEnd>
  /** Whether its end is known. */
  over = false

  constructor(protocol: Upgraded['protocol'], largest?: number) {
    this.kubelet = new FakeKubelet(protocol)
    const cluster = new FakeCluster([])
    cluster.programs = () => this.kubelet.upgraded
    const command = { container: 'app', argv: ['wget', '-q'], ...(largest === undefined ? {} : { largest }) }
    const program = { pod: { namespace: 'foo', name: 'sleep-1' }, timeout: 5_000, ...command }
    this.end = execInside(program, { cluster, timers: this.timers })
    void this.end.finally(() => {
      this.over = true
    })
  }

  print(channel: keyof typeof CHANNEL, bytes: Buffer | string): void {
    const { protocol } = this.kubelet.upgraded
    if (protocol === 'spdy') this.kubelet.raw(kubeletFrame.data(STREAM[channel], bytes))
    else this.kubelet.raw(frame(2, Buffer.concat([Buffer.from([CHANNEL[channel]]), Buffer.from(bytes)])))
  }

  /** The Status, and the end of the connection. */
  async conclude(status: object): Promise<ProgramEnd> {
    await settle()
    this.print('status', JSON.stringify(status))
    await settle()
    this.kubelet.drop()
    return this.end
  }
}

for (const protocol of ['websocket', 'spdy'] as const)
  describe(`a program over ${protocol}`, () => {
    it('has an exit code, and both outputs', async () => {
      const played = new Played(protocol)
      await settle()
      played.print('stdout', 'one ')
      played.print('stderr', 'wrong')
      played.print('stdout', 'two')
      const end = { exitCode: 3, stdout: 'one two', stderr: 'wrong', cut: { stdout: false, stderr: false } }
      assert.deepEqual(await played.conclude(ended('3')), end)
    })

    it('ends with 0', async () => {
      const end = await new Played(protocol).conclude(SUCCESS)
      assert.deepEqual(end, { exitCode: 0, stdout: '', stderr: '', cut: { stdout: false, stderr: false } })
    })

    it('keeps so many bytes, and says that more came', async () => {
      const played = new Played(protocol, 10)
      await settle()
      played.print('stdout', 'a'.repeat(7))
      played.print('stdout', 'b'.repeat(7))
      played.print('stdout', 'c'.repeat(100_000))
      played.print('stderr', 'd'.repeat(10))
      const end = await played.conclude(SUCCESS)
      assert.deepEqual(end, {
        exitCode: 0,
        stdout: 'aaaaaaabbb',
        stderr: 'd'.repeat(10),
        cut: { stdout: true, stderr: false },
      })
    })

    it('is told apart from one that the container does not have', async () => {
      for (const message of [
        'Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "1": OCI runtime exec failed: exec failed: unable to start container process: exec: "wget": executable file not found in $PATH: unknown',
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "/bin/wget": stat /bin/wget: no such file or directory: unknown',
        'executable file `wget` not found in $PATH: No such file or directory',
      ])
        assert.deepEqual(await new Played(protocol).conclude(failed(message)), { failed: message, absent: true })
      const message = 'container not found ("app")'
      assert.deepEqual(await new Played(protocol).conclude(failed(message)), { failed: message, absent: false })
    })

    it('is told apart from an absent one also where the runtime reports that as an end (CRI-O)', async () => {
      const played = new Played(protocol)
      await settle()
      const said = 'exec failed: unable to start container process: exec: "wget": executable file not found in $PATH'
      played.print('stderr', `${said}\n`)
      assert.deepEqual(await played.conclude(ended('255')), { failed: said, absent: true })
    })

    it('has no exit code where the Status has none that is a number', async () => {
      for (const code of ['', 'x', '1e9', '-1'])
        assert.ok('failed' in (await new Played(protocol).conclude(ended(code))), code)
      assert.deepEqual(await new Played(protocol).conclude({ status: 'Failure' }), {
        failed: 'the kubelet does not say why',
        absent: false,
      })
    })

    it('was lost when the connection ends without a Status', async () => {
      const played = new Played(protocol)
      await settle()
      played.print('stdout', 'half')
      await settle()
      played.kubelet.drop()
      assert.deepEqual(await played.end, { failed: 'the connection was lost before it ended', absent: false })
    })

    it('has a time limit, which closes the connection', async () => {
      const played = new Played(protocol)
      await played.timers.pass(4_999)
      assert.equal(played.over, false)
      await played.timers.pass(1)
      assert.deepEqual(await played.end, { failed: 'it did not end in 5 s', absent: false })
      assert.ok(played.kubelet.upgraded.socket.destroyed)
      assert.equal(played.timers.pending, 0)
    })

    it('waits a moment for output that comes after the Status, if the connection stays open', async () => {
      const played = new Played(protocol)
      await settle()
      played.print('status', JSON.stringify(SUCCESS))
      await settle()
      played.print('stdout', 'late')
      await played.timers.pass(249)
      assert.equal(played.over, false)
      await played.timers.pass(1)
      assert.deepEqual(await played.end, {
        exitCode: 0,
        stdout: 'late',
        stderr: '',
        cut: { stdout: false, stderr: false },
      })
      assert.equal(played.timers.pending, 0)
    })

    it('reads a Status that comes in parts', async () => {
      const played = new Played(protocol)
      await settle()
      const text = JSON.stringify(ended('7'))
      played.print('status', text.slice(0, 30))
      await settle()
      played.print('status', text.slice(30))
      await settle()
      played.kubelet.drop()
      const end = await played.end
      assert.equal('exitCode' in end && end.exitCode, 7)
    })

    it('is given up when the connection carries something else', async () => {
      const played = new Played(protocol)
      await settle()
      played.kubelet.raw(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
      assert.ok('failed' in (await played.end))
    })
  })

describe('the channels of a WebSocket', () => {
  it('are those of the first frame of a message, also in chunks of one byte', async () => {
    const played = new Played('websocket')
    await settle()
    // Not the last frame of its message, then the rest of it, and an unknown channel.
    const parts = [frame(2, Buffer.from([1, 97]), 0), frame(0, Buffer.from([2, 98])), frame(2, Buffer.from([255, 1]))]
    for (const byte of Buffer.concat(parts)) played.kubelet.raw(Buffer.from([byte]))
    const end = await played.conclude(SUCCESS)
    assert.equal('stdout' in end && end.stdout, 'a\u0002b')
  })

  it('answer pings', async () => {
    const played = new Played('websocket')
    await settle()
    played.kubelet.raw(frame(9, Buffer.from('are you there')))
    await settle()
    assert.deepEqual(
      played.kubelet.controls.map(({ opcode, payload }) => [opcode, payload.toString()]),
      [[10, 'are you there']],
    )
    await played.conclude(SUCCESS)
  })
})
