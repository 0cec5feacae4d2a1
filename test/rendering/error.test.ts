import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { renderError } from '../../src/rendering/error.ts'

const error = new UserError('ADDON_NOT_FOUND', 'Grafana was not found in any namespace', {
  suggestions: ['-n monitoring', 'kubectl get services -A'],
  cause: new Error('secret inside'),
})

describe('renderError', () => {
  it('prints the message, then one suggestion a line', () => {
    assert.equal(
      renderError(error, undefined),
      [
        'error: Grafana was not found in any namespace (ADDON_NOT_FOUND)',
        '  try: -n monitoring',
        '  try: kubectl get services -A',
      ].join('\n'),
    )
  })

  it('is one line without suggestions', () => {
    assert.equal(
      renderError(new UserError('CONFLICT', 'it has changed'), undefined),
      'error: it has changed (CONFLICT)',
    )
  })

  it('is data for scripts: code, message and suggestions, nothing else', () => {
    assert.deepEqual(JSON.parse(renderError(error, 'json')), {
      error: {
        code: 'ADDON_NOT_FOUND',
        message: 'Grafana was not found in any namespace',
        suggestions: ['-n monitoring', 'kubectl get services -A'],
      },
    })
  })

  it('is YAML on demand', () => {
    assert.equal(
      renderError(new UserError('CONFLICT', 'it has changed'), 'yaml'),
      'error:\n  code: CONFLICT\n  message: it has changed\n  suggestions: []',
    )
  })
})
