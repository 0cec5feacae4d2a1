/** The base of commands that work in one cluster. */
import { BaseCommand } from './base-command.ts'
import { shared } from './flags/every-command.ts'

export abstract class TelemetryCommand extends BaseCommand {
  static override baseFlags = shared
}
