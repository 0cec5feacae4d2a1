import { renderError } from '../rendering/error.ts'
import { renderChoice, renderSurvey } from '../rendering/wizard.ts'
import { TelemetryCommand } from '../telemetry-command.ts'
import { wizard } from '../wizard/wizard.ts'

export default class Wizard extends TelemetryCommand {
  static override summary = 'Ask what to do, do it, and print the equivalent command'
  static override description =
    `Runs when "kubectl telemetry" is called on a terminal without arguments. Shows the cluster and its add-ons, asks how \
to reach them and who may enter, then runs "expose" or "port-forward". Each question offers the way back to the \
previous one. Ctrl-C ends it.`
  static override examples = ['<%= config.bin %>', '<%= config.bin %> wizard --context staging']

  async run(): Promise<void> {
    const { flags } = await this.parse(Wizard)
    await wizard(flags.namespace, await this.connect(flags), {
      showSurvey: (survey) => this.answer('', renderSurvey(survey), true),
      showChoice: (draft, command) => this.answer('', renderChoice(draft, command, this.argv), true),
      complain: (error) => this.answer('', renderError(error, undefined), true),
      carryOut: ({ command, words }) => this.runOther(command, [...words, ...this.argv]),
    })
  }
}
