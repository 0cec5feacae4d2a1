import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  ANCHORS,
  distrustCommands,
  entriesAmong,
  entryName,
  placeName,
  type TrustPlace,
  trustCommands,
  typed,
} from '../../src/certificates/trust-places.ts'
import { expectGolden } from '../golden-file.ts'

const NAME = entryName(
  '18:E6:41:57:65:79:ED:B5:72:62:F1:33:DA:18:C7:ED:C8:8B:4D:0F:86:AB:C4:1A:59:AF:B9:E3:4D:04:8D:37',
)
const entries = [{ name: NAME, file: "/home/me/it's/trusted/ca.crt" }]
const PLACES: TrustPlace[] = [
  ...ANCHORS,
  { kind: 'nss', directory: '/home/me/.pki/nssdb' },
  { kind: 'macos' },
  { kind: 'windows' },
]

describe('places of trust', () => {
  it('are told by commands that are reviewed', () => {
    const lines = PLACES.flatMap((place) => [
      placeName(place),
      ...[...trustCommands(place, entries), ...distrustCommands(place, entries)].map(
        (command) => `  ${typed(command)}`,
      ),
    ])
    expectGolden('trust-commands.txt', lines.join('\n'))
  })

  it('know ours among others by names that tell authorities apart', () => {
    assert.equal(NAME, 'kubectl-telemetry-18e641576579edb5')
    const files = ['corporate.crt', `${NAME}.crt`, 'kubectl-telemetry-mine.crt', `x-${NAME}.crt`, `${NAME}.crt.bak`]
    assert.deepEqual(entriesAmong(files), [NAME])
    const listed = [
      'Certificate Nickname         Trust Attributes',
      '',
      `${NAME}         C,,  `,
      'corporate  C,,',
      `${NAME}0  C,,`,
    ]
    assert.deepEqual(entriesAmong(listed), [NAME])
  })
})
