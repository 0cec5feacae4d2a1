/** What tests of the wizard share: its questions, and one conversation with it. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { UserError } from '../../src/errors.ts'
import type { Draft, EqualCommand } from '../../src/wizard/steps.ts'
import type { Findings } from '../../src/wizard/survey.ts'
import { wizard } from '../../src/wizard/wizard.ts'
import { WAYS, world } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, prometheus } from '../fakes/mesh.ts'

export const ADDONS = 'Which add-ons?'
export const NAMESPACE = 'In which namespace?'
export const WAY = 'How are they to be reached?'
export const GATEWAY = 'Which ingress gateway?'
export const ADDRESS = 'Address of the ingress gateway ("<" goes back):'
export const DOMAIN = 'Domain of the pages ("<" goes back):'
export const WHO = (...names: string[]) => `Who may enter ${names.join(', ')}?`
export const NETWORKS = 'Addresses or networks, such as 203.0.113.0/24 ("<" goes back):'
export const WHAT_NOW = 'What now?'

export const EXPOSE = 'expose: by HTTPS through the ingress gateway, for others too'
export const PORT_FORWARD = 'port-forward: at ports of this machine, until Ctrl-C'
export const PASSWORD = WAYS.password
export const BY_NETWORK = WAYS.addresses
export const AS_IT_IS = WAYS.asItIs
export const BACK = '← back'
/** Just Enter: what is found, or was answered before. */
export const ENTER = ''

export const MESH = [...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), ...prometheus()]

export interface HeldConversation extends FakeWorld {
  /** How each command that is carried out ends; the last one for ever. */
  exitCodes: number[]
  findings: Findings | undefined
  choices: Draft[]
  /** `expose grafana`: carried out, in order. */
  commands: string[]
  complaints: string[]
  hold(namespace?: string): Promise<HeldConversation>
}

/** @param answers question to answer; without any, nobody is there to ask */
export function conversation(answers?: Record<string, unknown>, objects: KubeObject[] = MESH): HeldConversation {
  const one: HeldConversation = {
    ...world(objects, answers),
    exitCodes: [0],
    findings: undefined,
    choices: [],
    commands: [],
    complaints: [],
    hold: async () => one,
  }
  one.hold = async (namespace) => {
    await wizard(namespace, one, {
      showFindings: (findings) => {
        one.findings = findings
      },
      showChoice: (draft) => one.choices.push(draft),
      complain: ({ code }: UserError) => one.complaints.push(code),
      carryOut: async ({ command, words }: EqualCommand) => {
        one.commands.push([command, ...words].join(' '))
        return (one.exitCodes.length > 1 ? one.exitCodes.shift() : one.exitCodes[0]) ?? 0
      },
    })
    return one
  }
  return one
}
