import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Aim, aimText, verdict } from './aims.ts'
import { table } from './table.ts'

const TOOLS = [
  { name: 'kubectl', title: 'kubectl' },
  { name: 'ours', title: 'kubectl telemetry' },
]
const AIMS = new Map<string, Aim>([
  ['x, ms', { of: 'ratio', atMost: 0.6 }],
  ['y', { of: 'figure', atLeast: 200 }],
])

describe("a bench's table", () => {
  it('compares with the first tool, and with the aims', () => {
    const text = table(
      TOOLS,
      [
        { tool: 'kubectl', round: 0, figures: { 'x, ms': 4, y: 200 } },
        { tool: 'ours', round: 0, figures: { 'x, ms': 2, y: 199 } },
        { tool: 'kubectl', round: 1, figures: { 'x, ms': 40, y: 200 } },
        { tool: 'ours', round: 1, figures: { 'x, ms': 20, y: 198, z: 1.5 } },
      ],
      AIMS,
      'ours',
    )
    assert.deepEqual(text.split('\n'), [
      '|  | kubectl | kubectl telemetry | aim |  |',
      '| --- | --- | --- | --- | --- |',
      '| x, ms | 4 | 2 (0.50x) | <= 0.60x | met |',
      '| y | 200 | 198 (0.99x) | >= 200 | missed |',
      '| z | - | 1.50 |  |  |',
    ])
  })

  it('leaves out a missing tool, and makes no comparison for a single one', () => {
    const figures = { 'x, ms': 4, y: 200 }
    const [, , one] = table(TOOLS.slice(0, 1), [{ tool: 'kubectl', round: 0, figures }], AIMS, 'ours').split('\n')
    assert.equal(one, '| x, ms | 4 |  |  |')
    const [, , ...alone] = table(TOOLS.slice(1), [{ tool: 'ours', round: 0, figures }], AIMS, 'ours').split('\n')
    assert.deepEqual(alone, ['| x, ms | 4 | <= 0.60x | - |', '| y | 200 | >= 200 | met |'])
  })

  it('counts an aim as reached when the figure is equal', () => {
    const aims: Aim[] = [
      { of: 'ratio', atMost: 1 },
      { of: 'ratio', atLeast: 1 },
      { of: 'figure', atMost: 0 },
    ]
    assert.deepEqual(aims.map(aimText), ['<= 1.00x', '>= 1.00x', '<= 0'])
    assert.deepEqual(
      aims.map((aim) => [0.99, 1, 1.01].map((found) => verdict(aim, found))),
      [
        ['met', 'met', 'missed'],
        ['missed', 'met', 'met'],
        ['missed', 'missed', 'missed'],
      ],
    )
  })
})
