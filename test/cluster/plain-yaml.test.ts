/** What the short reader reads, the package yaml reads in the same way. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { readGoYaml } from '../../src/cluster/kubeconfig/go-yaml.ts'
import { readPlainYaml } from '../../src/cluster/kubeconfig/plain-yaml.ts'

const USUAL = `apiVersion: v1
# a comment
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTi+/=
    extensions:
    - extension:
        last-update: Fri, 05 Jan 2029 10:11:12 UTC
        provider: minikube.sigs.k8s.io
      name: cluster_info
    server: https://127.0.0.1:6443
  name: arn:aws:eks:eu-west-1:123:cluster/prod

contexts:
- context:
    cluster: 'a b'
    namespace: team-a
    user: "jane"
  name: a
current-context: a
kind: Config
preferences: {}
users:
- name: a
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - get-token
      - --login
      - -x
      command: kubelogin
      env: null
      env2: []
      interactiveMode: IfAvailable
      provideClusterInfo: false
- name: b
  user:
`

/** A mark of the start is nothing that is plain. @returns undefined for an error */
function byPackage(text: string): unknown {
  try {
    return readGoYaml(Buffer.from(`---\n${text}`))
  } catch {
    return undefined
  }
}

/** A generator with a fixed start, so that a failure repeats. */
function numbers(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('readPlainYaml', () => {
  const usual = USUAL.replace('env: null', 'env: {}').replace('      - --login\n      - -x\n', '')

  it('reads what kubectl, minikube and kind write', () => {
    assert.notEqual(readPlainYaml(usual), undefined)
    assert.deepEqual(readPlainYaml(usual), byPackage(usual))
  })

  for (const text of [
    'a: yes',
    'a: 1',
    'a: b # c',
    'a: b: c',
    'a: "\\n"',
    "a: 'it''s'",
    'a: *b',
    'a: &b c',
    'a:\n\t- b',
    'a: |\n  b',
    '? a',
    'a: b\na: c',
    'y: a',
    '- a',
    'a',
    '',
    '--- \na: b',
    'a: 12:30',
    'a: b\n  c',
    'a: [b]',
    'a: ~',
    'a: b:',
    'a: ü',
    '<<: a',
    'a:\n- - b',
    'a:\n -b',
    'a: b\n...\n',
    'a: !!str b',
    'a: b\r\n',
  ])
    it(`leaves to the package: ${JSON.stringify(text)}`, () => assert.equal(readPlainYaml(text), undefined))

  it('agrees with the package, or reads nothing, after any change of a few characters', () => {
    const random = numbers(20_261_129)
    const pieces = [
      ' ',
      '  ',
      '\n',
      '- ',
      ':',
      ': ',
      '#',
      ' #',
      '"',
      "'",
      '{',
      '}',
      '[]',
      ',',
      '&a ',
      '*a',
      '|',
      '>',
      '?',
      '!',
      '%',
      '@',
      '`',
      'y',
      'true',
      'null',
      '~',
      '0',
      '1e3',
      '.',
      '=',
      '<<: ',
      '---\n',
      '...\n',
      '\t',
      '\r',
      '\\',
      'ü',
      '/',
      '_',
      '-',
    ]
    let read = 0
    for (let round = 0; round < 4_000; round++) {
      let text = usual
      for (let changes = random(3); changes >= 0; changes--) {
        const at = random(text.length)
        text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(3))
      }
      const value = readPlainYaml(text)
      if (value === undefined) continue
      read++
      assert.deepEqual(value, byPackage(text), text)
    }
    assert.ok(read > 400, `only ${read} were read`)
  })
})
