import { renderError } from '../rendering/error.ts'
import { renderChoice, renderFindings } from '../rendering/wizard.ts'
import { TelemetryCommand } from '../telemetry-command.ts'
import { wizard } from '../wizard/wizard.ts'

export default class Wizard extends TelemetryCommand {
  static override summary = 'ask for everything, do it, and print the command that does the same'
  static override description =
    `what runs on a terminal when nothing is said: shows the cluster and its add-ons, asks how they are to be
reached and by whom, and ends in "expose" or "port-forward". Every question leads back to the one before; Ctrl-C ends it.`
  static override examples = ['<%= config.bin %>', '<%= config.bin %> wizard --context staging']

  async run(): Promise<void> {
    const { flags } = await this.parse(Wizard)
    await wizard(flags.namespace, await this.connect(flags), {
      showFindings: (findings) => this.answer('', renderFindings(findings), true),
      showChoice: (draft, command) => this.answer('', renderChoice(draft, command, this.argv), true),
      complain: (error) => this.answer('', renderError(error, undefined), true),
      carryOut: ({ command, words }) => this.carryOut(command, [...words, ...this.argv]),
    })
  }
}
