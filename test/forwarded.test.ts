import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { UserError } from '../src/errors.ts'
import { requireForwarded } from '../src/flags/port-forward.ts'

describe('requireForwarded', () => {
  const good: [string[], string[], { name: string; port?: number } | undefined][] = [
    [[], ['grafana', 'kiali', 'prometheus', 'tracing'], undefined],
    [['grafana'], ['grafana'], undefined],
    [['kiali', 'prometheus'], ['kiali', 'prometheus'], undefined],
    [['svc/httpbin'], [], { name: 'httpbin' }],
    [['svc/httpbin:8000'], [], { name: 'httpbin', port: 8000 }],
    [['service/a-b-1:1'], [], { name: 'a-b-1', port: 1 }],
    [['services/x'], [], { name: 'x' }],
  ]
  for (const [words, addons, service] of good)
    it(`reads ${JSON.stringify(words.join(' '))}`, () => {
      const forwarded = requireForwarded(words)
      assert.deepEqual(forwarded.service, service)
      if (service === undefined) assert.deepEqual([...forwarded.addons.names].sort(), addons)
    })

  const bad = [
    'svc/',
    'svc/-x',
    'svc/X',
    'svc/x:',
    'svc/x:123456',
    'svc/x/y',
    'svc/x grafana',
    'svc/x svc/y',
    'grafana svc/x',
    'pod/x',
  ]
  for (const words of bad)
    it(`refuses ${JSON.stringify(words)}, as wrong usage`, () =>
      assert.throws(
        () => requireForwarded(words.split(' ')),
        (error: UserError) => error.exitCode === 2,
      ))
})
