import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { argumentsFor, nameOfService, serviceNamed, titleOf } from '../../src/addons/service-name.ts'
import { UserError } from '../../src/errors.ts'
import { exposedBy, externalGuardName, guardName } from '../../src/manifests/names.ts'

describe('names of exposed Services', () => {
  it('have at most 63 characters, the dot included', () => {
    const fits = { name: 'a'.repeat(31), namespace: 'b'.repeat(31) }
    assert.equal(nameOfService(fits).length, 63)
    assert.deepEqual(serviceNamed(nameOfService(fits)), fits)
    assert.throws(
      () => nameOfService({ ...fits, name: 'a'.repeat(32) }),
      (error: UserError) => {
        assert.deepEqual([error.code, error.exitCode], ['SERVICE_NAME_LONG', 2])
        assert.equal(
          error.message,
          `the name of svc/${'a'.repeat(32)} and its namespace ${'b'.repeat(31)} have 63 characters together; at most 62 fit`,
        )
        assert.deepEqual(error.suggestions, ['another Service with a shorter name, with the same selector and ports'])
        return error instanceof UserError
      },
    )
  })

  const others = [
    'grafana',
    '',
    '.',
    'a.',
    '.b',
    'a.b.c',
    'A.b',
    'a_b.c',
    '-a.b',
    'a-.b',
    'a .b',
    'a.b\n',
    `${'a'.repeat(40)}.${'b'.repeat(40)}`,
  ]
  for (const text of others)
    it(`are not ${JSON.stringify(text)}: a label of somebody else, or an add-on`, () => {
      assert.equal(serviceNamed(text), undefined)
      assert.deepEqual([titleOf(text), argumentsFor(text)], [text, [text]])
    })

  it('are read as users write them', () => {
    assert.equal(titleOf('grafana.tools'), 'svc/grafana')
    assert.deepEqual(argumentsFor('grafana.tools'), ['svc/grafana', '-n', 'tools'])
  })
})

describe('names of guards', () => {
  const exposed = [
    'grafana',
    'foo.bar',
    'foo.bar-ext-authz',
    'foo.ext-authz',
    'grafana.ext-authz',
    'ext-authz.ext-authz',
    'foo-ext-authz.bar',
  ]

  it('are different for each exposure', () => {
    const names = exposed.flatMap((one) => [guardName(one), externalGuardName(one)])
    assert.equal(new Set(names).size, names.length)
  })

  for (const one of exposed)
    it(`say that they are for ${one}`, () => {
      assert.deepEqual([exposedBy(guardName(one)), exposedBy(externalGuardName(one))], [one, one])
    })

  it('of others are for nothing', () => assert.equal(exposedBy('foo.bar'), undefined))
})
