import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  ANCHORS,
  distrustCommands,
  entryName,
  ownEntries,
  placeName,
  type TrustPlace,
  trustCommands,
} from '../../src/certificates/trust-places.ts'
import { shellCommand } from '../../src/shell.ts'
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

describe('trust places', () => {
  it('are changed by the commands in the golden file', () => {
    const lines = PLACES.flatMap((place) => [
      placeName(place),
      ...[...trustCommands(place, entries), ...distrustCommands(place, entries)].map(
        (command) => `  ${shellCommand(command)}`,
      ),
    ])
    expectGolden('trust-commands.txt', lines.join('\n'))
  })

  it('recognise our entries by their names, which differ for each CA', () => {
    assert.equal(NAME, 'kubectl-telemetry-18e641576579edb5')
    const files = ['corporate.crt', `${NAME}.crt`, 'kubectl-telemetry-mine.crt', `x-${NAME}.crt`, `${NAME}.crt.bak`]
    assert.deepEqual(ownEntries(files), [NAME])
    const listed = [
      'Certificate Nickname         Trust Attributes',
      '',
      `${NAME}         C,,  `,
      'corporate  C,,',
      `${NAME}0  C,,`,
    ]
    assert.deepEqual(ownEntries(listed), [NAME])
  })
})
