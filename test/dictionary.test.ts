import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'mocha'

const dictionary = new URL('../docs/dictionary.md', import.meta.url)
const rows = [...readFileSync(dictionary, 'utf8').matchAll(/^\| \*\*(.+)\*\* \| .+ \| (.+) \|$/gm)]

describe('docs/dictionary.md', () => {
  it('has words, each once', () => {
    const words = rows.flatMap(([, names = '']) => names.split(', '))
    assert.ok(words.length >= 40)
    assert.deepEqual(
      words.filter((word, at) => words.indexOf(word) !== at),
      [],
    )
  })

  for (const [, word, places = ''] of rows)
    for (const [, names = '', file = ''] of places.matchAll(/((?:`\w+`(?:, )?)+) in `([\w./-]+)`/g))
      for (const name of names.replaceAll('`', '').split(', '))
        it(`finds ${name}, for "${word}", in src/${file}`, () => {
          const path = new URL(`../src/${file}`, import.meta.url)
          assert.ok(existsSync(path), `there is no src/${file}`)
          const definition = new RegExp(`(interface|type|class|function|const) ${name}\\b|'${name}'`)
          assert.ok(
            definition.test(readFileSync(path, 'utf8')),
            `src/${file} does not define ${name}: docs/dictionary.md is outdated`,
          )
        })
})
