import { asFinding } from '../findings.ts'
import { shellCommand } from '../shell.ts'
import type { Draft, EquivalentCommand } from '../wizard/steps.ts'
import type { FoundGateway, WizardSurvey } from '../wizard/survey.ts'
import { findingLines } from './findings.ts'
import { guardWords } from './guard.ts'
import { page, tableLines } from './output.ts'

/** The context, and the add-ons and gateways in the cluster. */
export function renderSurvey({ context, server, addons, gateways, warnings, obstacle }: WizardSurvey): string {
  const rows = addons.map(({ found: { addon, namespace, service }, access }) => [
    addon.name,
    `${namespace}/${service.metadata.name}`,
    `${addon.title} ${accessWords(access)}`,
  ])
  const problem = obstacle && asFinding(obstacle, 'warns')
  return page([
    `context      ${context} (${server})`,
    ...gateways.map((one) => `gateway      ${gatewayWords(one)}`),
    '',
    ...tableLines([['ADD-ON', 'SERVICE', 'ACCESS'], ...rows]),
    '',
    ...(warnings.length > 0 ? [...findingLines(warnings), ''] : []),
    ...(problem === undefined ? [] : [...findingLines([problem]), '']),
  ])
}

function accessWords(access: WizardSurvey['addons'][number]['access']): string {
  switch (access.kind) {
    case 'anonymous':
      return `lets anyone in as ${access.role}`
    case 'login':
      return 'asks for a login'
    case 'unknown':
      return 'may let anyone in: cannot read its configuration'
  }
}

function gatewayWords({ gateway, address }: FoundGateway): string {
  const name = `${gateway.namespace}/${gateway.service.metadata.name}`
  return `${name} ${address === undefined ? 'without an address' : `at ${address.address}`}`
}

const ACCESS: Record<NonNullable<Draft['access']>, (draft: Draft) => string> = {
  password: () => 'users with the password, which is generated and shown once',
  addresses: ({ cidrs = [] }) => `requests from ${cidrs.join(', ')}`,
  anyone: () => 'anyone who reaches the address',
}

/** @param asked flags of the wizard, which the command needs too */
export function renderChoice(draft: Draft, equivalent: EquivalentCommand, asked: string[]): string {
  const { command, words } = equivalent
  const lines =
    command === 'expose' ? exposureLines(draft, equivalent) : [['reached at', 'ports of this machine, until Ctrl-C']]
  const rows = [['add-ons', draft.addons.join(', ')], ...lines]
  const line = shellCommand(['kubectl', 'telemetry', command, ...words, ...withoutToken(asked)])
  return page([
    '',
    ...rows.map(([what = '', how]) => `${what.padEnd(12)} ${how}`),
    '',
    'the same without questions:',
    `  ${line}`,
    '',
  ])
}

/** A terminal may be shared, and its lines copied. */
function withoutToken(words: string[]): string[] {
  return words.map((word, at) =>
    words[at - 1] === '--token' ? 'TOKEN' : word.replace(/^--token=.*/s, '--token=TOKEN'),
  )
}

function exposureLines(draft: Draft, { words, urls, guards }: EquivalentCommand): string[][] {
  const { exposure, access } = draft
  if (exposure === undefined) return []
  const { gateway, address } = exposure
  const isAsked = words.some((word) => ['--auth', '--allow-cidr', '--allow-anonymous'].includes(word))
  return [
    ...urls.map((url, index) => [index === 0 ? 'reached at' : '', url]),
    ['gateway', gatewayWords({ gateway, address })],
    ...(isAsked && access !== undefined ? [['access', ACCESS[access](draft)]] : guardLines(draft, guards)),
  ]
}

/** What stays in front of them. */
function guardLines({ addons }: Draft, guards: EquivalentCommand['guards']): string[][] {
  return addons.flatMap((addon) => {
    const guard = guards[addon]
    return guard === undefined ? [] : [['access', `${addon}: ${guardWords(guard)}, as before`]]
  })
}
