import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { EndpointSlice } from '../../src/cluster/objects.ts'
import { readyTargets } from '../../src/forwarding/ready-targets.ts'
import { endpoint, slice } from '../fakes/fake-slices.ts'

const HTTP = [
  { name: 'metrics', port: 9090 },
  { name: 'http', port: 8080 },
]

describe('readyTargets', () => {
  const table: [string, EndpointSlice[], string, string[]][] = [
    ['a Ready pod', [slice('a', [endpoint('p')])], '', ['p:3000']],
    [
      'several pods in several slices',
      [slice('a', [endpoint('p'), endpoint('q')]), slice('b', [endpoint('r')])],
      '',
      ['p:3000', 'q:3000', 'r:3000'],
    ],
    ['a pod without conditions', [slice('a', [{ targetRef: { kind: 'Pod', name: 'p' } }])], '', ['p:3000']],
    ['a pod that is not Ready', [slice('a', [endpoint('p', { ready: false })])], '', []],
    ['a Ready pod that terminates', [slice('a', [endpoint('p', { ready: true, terminating: true })])], '', []],
    [
      'a pod that does not terminate',
      [slice('a', [endpoint('p', { ready: true, terminating: false })])],
      '',
      ['p:3000'],
    ],
    ['an address without a pod', [slice('a', [{ conditions: { ready: true } }])], '', []],
    ['an address of a node', [slice('a', [{ targetRef: { kind: 'Node', name: 'n' } }])], '', []],
    [
      'a pod with an address of each family',
      [slice('v4', [endpoint('p')]), slice('v6', [endpoint('p')])],
      '',
      ['p:3000'],
    ],
    ['the port of that name', [slice('a', [endpoint('p')], HTTP)], 'http', ['p:8080']],
    ['no port of that name', [slice('a', [endpoint('p')], HTTP)], 'grpc', []],
    ['no port without a name', [slice('a', [endpoint('p')], HTTP)], '', []],
    ['a port whose name is left out', [slice('a', [endpoint('p')], [{ port: 80 }])], '', ['p:80']],
    ['a port without a number', [slice('a', [endpoint('p')], [{ name: '' }])], '', []],
    [
      'pods whose ports differ',
      [
        slice('a', [endpoint('p')], [{ name: 'http', port: 1 }]),
        slice('b', [endpoint('q')], [{ name: 'http', port: 2 }]),
      ],
      'http',
      ['p:1', 'q:2'],
    ],
    ['no endpoints', [slice('a', null, null)], '', []],
    ['ports and null endpoints', [slice('a', null)], '', []],
    ['no slices', [], '', []],
  ]
  for (const [name, slices, port, targets] of table)
    it(`${name}: ${targets.join(' ') || 'nowhere'}`, () =>
      assert.deepEqual(
        readyTargets(slices, port).map(({ pod, port: number }) => `${pod}:${number}`),
        targets,
      ))
})
