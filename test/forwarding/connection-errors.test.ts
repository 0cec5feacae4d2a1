import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { arrived, forwarded, GET, leavesNothing, opened, over, POST, start } from './carrying.ts'

/** What the error stream says when the connection never reached the server. */
const REFUSALS: [string, string][] = [
  [
    'containerd 2',
    'error forwarding port 3000 to pod 9f, uid : failed to execute portforward in network namespace "/var/run/netns/cni-1": failed to connect to localhost:3000 inside namespace "9f", IPv4: dial tcp4 127.0.0.1:3000: connect: connection refused IPv6 dial tcp6 [::1]:3000: connect: connection refused ',
  ],
  [
    'containerd, a dial that takes too long',
    'failed to connect to localhost:3000 inside namespace "9f", IPv4: dial tcp4 127.0.0.1:3000: i/o timeout IPv6 dial tcp6: address localhost: no suitable address found ',
  ],
  [
    'CRI-O',
    'error forwarding port 3000 to pod 9f, uid : port forward into network namespace "/var/run/netns/1": failed to connect to localhost:3000 inside namespace 9f: dial tcp [::1]:3000: connect: connection refused',
  ],
  [
    'cri-dockerd',
    'error forwarding port 3000 to pod 9f, uid : exit status 1: 2026/11/29 05:29:07 socat[20928] E connect(5, AF=2 127.0.0.1:3000, 16): Connection refused',
  ],
  [
    'old containerd',
    'failed to execute portforward in network namespace "/var/run/netns/cni-1": socat command returns error: exit status 1, stderr: "2026/11/29 05:18:40 socat[96552] E connect(5, AF=2 127.0.0.1:3000, 16): Connection refused\\n"',
  ],
  ['a node without socat', 'error forwarding port 3000 to pod 9f, uid : unable to do port forwarding: socat not found'],
  ['a sandbox that is gone', 'failed to find sandbox "9f" in store: not found'],
  ['a sandbox that has ended', 'sandbox container "9f" is not running'],
  ['a container that has ended', 'container not running (9f)'],
  ['a network that is gone', 'network namespace for sandbox "9f" is closed'],
]

/** What it says when the request may have been carried out, or when nobody can know. */
const UNCLEAR = [
  'signal: killed',
  'exit status 137',
  'error forwarding port 3000 to pod 9f, uid : exit status 137: ',
  'context canceled',
  'i/o timeout',
  'use of closed network connection',
  'EOF',
  'unexpected EOF',
  'read tcp4 127.0.0.1:40000->127.0.0.1:3000: i/o timeout',
  'write tcp4 127.0.0.1:40000->127.0.0.1:3000: use of closed network connection',
  'something that no runtime has said yet',
  'failed to execute portforward in network namespace "/var/run/netns/cni-1": EOF',
  'exit status 137: 2026/11/29 socat[1] E connect(5, AF=10 [::1]:3000, 28): Connection refused',
  `dial tcp 127.0.0.1:3000: connect: connection refused${' '.repeat(5000)}`,
]

/** How often the pods get the client's bytes when each of them answers with this error text, up to three times. */
async function timesSent(request: string, error: string, data = ''): Promise<number> {
  const client = await start()
  await client.send(request)
  await arrived(request)
  for (let time = 1; time <= 3; time++) {
    const all = await opened(time)
    await eventually(() => all[time - 1]?.text === request)
    const { data: stream = 3 } = all[time - 1] ?? {}
    forwarded.route.kubelet.send(kubeletFrame.data(stream, data, true), kubeletFrame.data(stream - 2, error, true))
    await settle()
    await forwarded.timers.pass(400)
    if (client.isEnded || client.isClosed) break
    await settle()
  }
  const { length } = (await opened()).filter(({ text }) => text === request)
  client.socket.resetAndDestroy()
  await over(client)
  return length
}

describe('errors of a forwarded connection', () => {
  leavesNothing()

  for (const [title, text] of REFUSALS) {
    it(`sends a POST to the next pod after a refusal: ${title}`, async () => {
      assert.ok((await timesSent(POST, text)) > 1)
      assert.ok(forwarded.route.distrusted.length > 0)
    })
  }

  for (const text of UNCLEAR) {
    it(`sends a POST once, and a GET again, after ${JSON.stringify(text.slice(0, 80))}`, async () => {
      assert.equal(await timesSent(POST, text), 1)
      forwarded.close()
      assert.ok((await timesSent(GET, text)) > 1)
      assert.ok(forwarded.route.distrusted.length > 0, 'the next request goes to another session')
    })
  }

  const pipelined: [string, string, boolean][] = [
    ['a POST behind a GET', GET + POST, false],
    ['a GET behind a POST', POST + GET, false],
    ['a POST behind a GET with a body', `${GET.replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\n')}abc${POST}`, false],
    ['a POST behind several GETs', GET + GET + GET + POST, false],
    ['a DELETE behind a HEAD', GET.replace('GET', 'HEAD') + GET.replace('GET', 'DELETE'), false],
    [
      'a GET with a body in chunks',
      `${GET.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n')}0\r\n\r\n`,
      false,
    ],
    ['bytes that are not HTTP behind a GET', `${GET}\0\0`, false],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', false],
    ['two GETs', GET + GET, true],
    ['a GET behind a GET with a body', `${GET.replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\n')}abc${GET}`, true],
    ['HEAD, OPTIONS and TRACE', ['HEAD', 'OPTIONS', 'TRACE'].map((one) => GET.replace('GET', one)).join(''), true],
  ]
  for (const [title, request, again] of pipelined) {
    it(`${again ? 'repeats' : 'does not repeat'} ${title}`, async () => {
      const times = await timesSent(request, 'read: connection reset by peer')
      assert.equal(times, again ? 2 : 1)
      forwarded.close()
      const unclear = await timesSent(request, 'signal: killed')
      assert.equal(unclear > 1, again)
    })
  }

  it('does not repeat a GET when a POST follows while the first one waits', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    await client.send(POST)
    await arrived(GET + POST)
    forwarded.route.kubelet.send(kubeletFrame.data(3, '', true), kubeletFrame.data(1, 'signal: killed', true))
    await over(client)
    assert.equal((await opened()).length, 1)
  })

  it('repeats nothing after a part of an answer', async () => {
    assert.equal(await timesSent(GET, 'failed to connect to localhost:3000', 'HTTP/1.1 200 OK\r\n'), 1)
  })
})
