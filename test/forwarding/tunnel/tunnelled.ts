/** A session, the kubelet at its other end, and a local end that records its events. */
import type { Upgraded } from '../../../src/cluster/cluster.ts'
import { Session } from '../../../src/forwarding/tunnel/session.ts'
import type { Stream } from '../../../src/forwarding/tunnel/stream-pair.ts'
import { FakeKubelet } from '../../fakes/fake-kubelet.ts'
import { FakeTimers } from '../../fakes/fake-timers.ts'

export const LOST = 'the connection to the API server was lost'

/** A local end that records its events, with or without room. */
export class LocalEnd {
  room = true
  text = ''
  told: string[] = []
  stream: Stream

  constructor(session: Session, first = '') {
    this.stream = session.open(
      {
        data: (bytes) => {
          this.text += bytes.toString('latin1')
          return this.room
        },
        drain: () => void this.told.push('drain'),
        end: () => void this.told.push('end'),
        silent: () => void this.told.push('silent'),
        leave: () => void this.told.push('leave'),
        fail: (reason, how) => void this.told.push(`${how}: ${reason}`),
      },
      Buffer.from(first),
    )
  }
}

export function tunnel(protocol: Upgraded['protocol'] = 'spdy') {
  const kubelet = new FakeKubelet(protocol)
  const timers = new FakeTimers()
  const closed: Session[] = []
  const session = new Session(kubelet.upgraded, 3000, timers, (one) => void closed.push(one))
  return { kubelet, timers, session, closed }
}
