import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubectlWords } from '../../src/flags/kubectl-words.ts'

const FLAGS = {
  context: { type: 'option' },
  namespace: { type: 'option', char: 'n' },
  'as-group': { type: 'option', multiple: true },
  yes: { type: 'boolean', char: 'y' },
  'all-namespaces': { type: 'boolean', char: 'A' },
}

describe('kubectlWords', () => {
  const rows: [why: string, words: string, expected: string][] = [
    ['leaves what is given once', 'grafana --context a -n b --yes', 'grafana --context a -n b --yes'],
    ['keeps the last of repeated flags', '--context a grafana --context b', 'grafana --context b'],
    ['in both forms', '--context a --context=b', '--context=b'],
    ['by all names', '--namespace a -n b -n=c -nd', '-nd'],
    ['keeps all of a flag with several values', '--as-group a --as-group b', '--as-group a --as-group b'],
    ['takes the next word for the value, whatever it is', '--context --yes=true', '--context --yes=true'],
    ['leaves what comes after --', '--context a -- --context b --context c', '--context a -- --context b --context c'],
    ['keeps a flag at the end without a value', 'grafana --context', 'grafana --context'],
    ['takes =true for the flag', '--yes=true -A=1', '--yes -A'],
    ['takes =false for nothing', '--yes=false -A=F grafana', 'grafana'],
    ['lets the last one of both decide', '--yes --yes=false --all-namespaces=f -A', '-A'],
    ['leaves other values to be refused', '--yes=maybe', '--yes=maybe'],
    ['leaves short flags in one word', '-Ay', '-Ay'],
    ['leaves unknown flags', '--other=true --other a', '--other=true --other a'],
  ]
  for (const [why, words, expected] of rows)
    it(why, () => {
      assert.deepEqual(kubectlWords(words.split(' '), FLAGS), expected.split(' '))
    })
})
