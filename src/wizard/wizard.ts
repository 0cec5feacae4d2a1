/** Asks for the values of flags, and runs the equivalent `expose` or `port-forward` command. */
import { EXIT, UserError } from '../errors.ts'
import { RememberingProber } from '../probing/remembering-prober.ts'
import type { Dependencies } from '../world.ts'
import { ASKS, BACK, type Conversation, choose } from './questions.ts'
import { commandOf, type Draft, type EquivalentCommand, namesIn, type Step, stepAfter, stepBefore } from './steps.ts'
import { findForWizard, type WizardSurvey } from './survey.ts'

export interface WizardAudience {
  showSurvey(survey: WizardSurvey): void
  /** Shows the answers and the equivalent command. */
  showChoice(draft: Draft, command: EquivalentCommand): void
  /** Shows why a question is repeated. */
  complain(error: UserError): void
  /** Runs the command, with its own plan and consent. @returns its exit code */
  carryOut(command: EquivalentCommand): Promise<number>
}

/**
 * @param namespace namespace of the add-ons; all if left out
 * @throws UserError TERMINAL_REQUIRED, INTERRUPTED, and what the surveys of both commands throw
 */
export async function wizard(
  namespace: string | undefined,
  world: Dependencies,
  audience: WizardAudience,
): Promise<void> {
  if (!world.terminal.interactive) {
    throw new UserError('TERMINAL_REQUIRED', 'the wizard asks questions and needs a terminal', {
      suggestions: ['kubectl telemetry expose --help', 'kubectl telemetry port-forward --help'],
    })
  }
  const dependencies = { ...world, prober: new RememberingProber(world.prober) }
  const survey = await findForWizard(namespace, world.cluster)
  audience.showSurvey(survey)
  const conversation = { survey, namespace, dependencies, complain: audience.complain }
  let draft: Draft = { addons: namesIn(survey) }
  for (let step: Step = 'addons'; ; ) {
    const answer: Partial<Draft> | typeof BACK | 'end' =
      step === 'end' ? await end(draft, conversation, audience) : await ASKS[step](draft, conversation)
    if (answer === 'end') return
    if (answer !== BACK) draft = { ...draft, ...answer }
    step = answer === BACK ? stepBefore(step, draft, survey) : stepAfter(step, draft, survey)
  }
}

/** Runs the command. If it failed or was declined, the user can go back to the questions. */
async function end(
  draft: Draft,
  { survey, dependencies: { terminal } }: Conversation,
  { showChoice, carryOut }: WizardAudience,
): Promise<'end' | typeof BACK> {
  const command = commandOf(draft, survey)
  showChoice(draft, command)
  const exitCode = await carryOut(command)
  if (exitCode === 0 || exitCode === EXIT.interrupted) return 'end'
  return choose(terminal, 'What now?', [{ name: 'end', value: 'end' as const }], 'end')
}
