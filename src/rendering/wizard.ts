import { guardWords, viewOf } from '../access/guard.ts'
import { type ExposureRequest, exposuresOf } from '../exposing/plan.ts'
import type { Draft, EqualCommand } from '../wizard/steps.ts'
import type { Findings, FoundGateway } from '../wizard/survey.ts'
import { renderWarnings } from './findings.ts'
import { renderTable } from './output.ts'

/** Where we are, and what is there. */
export function renderFindings({ context, server, addons, gateways, warnings, obstacle }: Findings): string {
  const rows = addons.map(({ found: { addon, namespace, service }, access }) => [
    addon.name,
    `${namespace}/${service.metadata.name}`,
    `${addon.title} ${accessWords(access)}`,
  ])
  const problem = obstacle && { code: obstacle.code, message: obstacle.message, remedy: obstacle.suggestions[0] ?? '' }
  return [
    `context      ${context} (${server})`,
    ...gateways.map((one) => `gateway      ${gatewayWords(one)}`),
    '',
    renderTable([['ADD-ON', 'SERVICE', 'AS IT IS'], ...rows]),
    '',
    ...(warnings.length > 0 ? [renderWarnings(warnings), ''] : []),
    ...(problem === undefined ? [] : [renderWarnings([problem]), '']),
  ].join('\n')
}

function accessWords(access: Findings['addons'][number]['access']): string {
  switch (access.kind) {
    case 'anonymous':
      return `lets anyone in as ${access.role}`
    case 'login':
      return 'asks for a login'
    case 'unknown':
      return 'may let anyone in: its configuration could not be read'
  }
}

function gatewayWords({ gateway, address }: FoundGateway): string {
  const name = `${gateway.namespace}/${gateway.service.metadata.name}`
  return `${name} ${address === undefined ? 'without an address' : `at ${address.address}`}`
}

const ACCESS: Record<NonNullable<Draft['access']>, (draft: Draft) => string> = {
  password: () => 'whoever has the password, which is made and shown once',
  addresses: ({ cidrs = [] }) => `requests from ${cidrs.join(', ')}`,
  'as it is': () => 'anyone who reaches the address',
}

/** @param asked flags of the wizard itself, which the command has to have, too */
export function renderChoice(draft: Draft, { command, words }: EqualCommand, asked: string[]): string {
  const lines =
    command === 'expose' ? exposureLines(draft, words) : [['reached at', 'ports of this machine, until Ctrl-C']]
  const rows = [['add-ons', draft.addons.join(', ')], ...lines]
  const line = ['kubectl', 'telemetry', command, ...words, ...asked].map(quoted).join(' ')
  return [
    '',
    ...rows.map(([what = '', how]) => `${what.padEnd(12)} ${how}`),
    '',
    'the same without questions:',
    `  ${line}`,
    '',
  ].join('\n')
}

function exposureLines(draft: Draft, words: string[]): string[][] {
  const { exposure, access } = draft
  if (exposure === undefined) return []
  const { gateway, address } = exposure
  const urls = exposuresOf(exposure, gateway.service).map(({ url }) => url)
  const isAsked = words.some((word) => ['--auth', '--allow-cidr', '--allow-anonymous'].includes(word))
  return [
    ...urls.map((url, index) => [index === 0 ? 'reached at' : '', url]),
    ['gateway', gatewayWords({ gateway, address })],
    ...(isAsked && access !== undefined ? [['lets in', ACCESS[access](draft)]] : guardLines(draft, exposure.guarding)),
  ]
}

/** What stays in front of them. */
function guardLines({ addons }: Draft, { guards }: ExposureRequest['guarding']): string[][] {
  return addons.flatMap((addon) => {
    const guard = guards[addon]
    return guard === undefined ? [] : [['lets in', `${addon}: ${guardWords(viewOf(guard))}, as before`]]
  })
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
