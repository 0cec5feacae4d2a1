/** Asks for what `expose` and `port-forward` are told by flags, and has the command carried out that says the same. */
import { EXIT, UserError } from '../errors.ts'
import { RememberingProber } from '../probing/remembering-prober.ts'
import type { Dependencies } from '../world.ts'
import { ASKS, BACK, type Conversation, choose } from './questions.ts'
import { commandOf, type Draft, type EqualCommand, namesIn, type Step, stepAfter, stepBefore } from './steps.ts'
import { type Findings, findForWizard } from './survey.ts'

export interface WizardAudience {
  showFindings(findings: Findings): void
  /** What was chosen, and the command that says so. */
  showChoice(draft: Draft, command: EqualCommand): void
  /** Why a question comes again. */
  complain(error: UserError): void
  /** Does it, with the command's own plan and consent. @returns its exit code */
  carryOut(command: EqualCommand): Promise<number>
}

/**
 * @param namespace of the add-ons; every one when left out
 * @throws UserError TERMINAL_REQUIRED, INTERRUPTED, and what the surveys of both commands throw
 */
export async function wizard(
  namespace: string | undefined,
  world: Dependencies,
  audience: WizardAudience,
): Promise<void> {
  if (!world.terminal.interactive) {
    throw new UserError('TERMINAL_REQUIRED', 'the wizard asks questions, and there is no terminal to ask on', {
      suggestions: ['kubectl telemetry expose --help', 'kubectl telemetry port-forward --help'],
    })
  }
  const dependencies = { ...world, prober: new RememberingProber(world.prober) }
  const findings = await findForWizard(namespace, world.cluster)
  audience.showFindings(findings)
  const conversation = { findings, namespace, dependencies, complain: audience.complain }
  let draft: Draft = { addons: namesIn(findings) }
  for (let step: Step = 'addons'; ; ) {
    const answer: Partial<Draft> | typeof BACK | 'end' =
      step === 'end' ? await end(draft, conversation, audience) : await ASKS[step](draft, conversation)
    if (answer === 'end') return
    if (answer !== BACK) draft = { ...draft, ...answer }
    step = answer === BACK ? stepBefore(step, draft, findings) : stepAfter(step, draft, findings)
  }
}

/** What did not succeed, or was declined, may be answered otherwise. */
async function end(
  draft: Draft,
  { findings, dependencies: { terminal } }: Conversation,
  { showChoice, carryOut }: WizardAudience,
): Promise<'end' | typeof BACK> {
  const command = commandOf(draft, findings)
  showChoice(draft, command)
  const exitCode = await carryOut(command)
  if (exitCode === 0 || exitCode === EXIT.interrupted) return 'end'
  return choose(terminal, 'What now?', [{ name: 'end', value: 'end' as const }], 'end')
}
