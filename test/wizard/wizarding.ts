/** Shared by tests of the wizard: its questions, and one conversation with it. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { UserError } from '../../src/errors.ts'
import type { Draft, EquivalentCommand } from '../../src/wizard/steps.ts'
import type { WizardSurvey } from '../../src/wizard/survey.ts'
import { wizard } from '../../src/wizard/wizard.ts'
import { ACCESS_CHOICES, world } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, prometheus } from '../fakes/mesh.ts'

export const ADDONS = 'Which add-ons?'
export const NAMESPACE = 'Which namespace?'
export const WAY = 'How do you want to reach them?'
export const GATEWAY = 'Which ingress gateway?'
export const ADDRESS = 'Address of the ingress gateway ("<" goes back):'
export const DOMAIN = 'Domain of the pages ("<" goes back):'
export const WHO = (...names: string[]) => `Who may enter ${names.join(', ')}?`
export const NETWORKS = 'Addresses or networks, such as 203.0.113.0/24 ("<" goes back):'
export const WHAT_NOW = 'What now?'

export const EXPOSE = 'expose: over HTTPS through the ingress gateway, for other users too'
export const PORT_FORWARD = 'port-forward: on ports of this machine, until Ctrl-C'
export const PASSWORD = ACCESS_CHOICES.password
export const BY_NETWORK = ACCESS_CHOICES.addresses
export const ANYONE = ACCESS_CHOICES.anyone
export const BACK = '← back'
/** Only Enter: accepts the found value or the earlier answer. */
export const ENTER = ''

export const MESH = [...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), ...prometheus()]

export interface HeldConversation extends FakeWorld {
  /** Exit codes of the commands in order; the last one repeats. */
  exitCodes: number[]
  survey: WizardSurvey | undefined
  choices: Draft[]
  /** The commands that were run: `expose grafana`. */
  commands: string[]
  complaints: string[]
  hold(namespace?: string): Promise<HeldConversation>
}

/** @param answers answers by question; without them there is no terminal */
export function conversation(answers?: Record<string, unknown>, objects: KubeObject[] = MESH): HeldConversation {
  const one: HeldConversation = {
    ...world(objects, answers),
    exitCodes: [0],
    survey: undefined,
    choices: [],
    commands: [],
    complaints: [],
    hold: async () => one,
  }
  one.hold = async (namespace) => {
    await wizard(namespace, one, {
      showSurvey: (survey) => {
        one.survey = survey
      },
      showChoice: (draft) => one.choices.push(draft),
      complain: ({ code }: UserError) => one.complaints.push(code),
      carryOut: async ({ command, words }: EquivalentCommand) => {
        one.commands.push([command, ...words].join(' '))
        return (one.exitCodes.length > 1 ? one.exitCodes.shift() : one.exitCodes[0]) ?? 0
      },
    })
    return one
  }
  return one
}
