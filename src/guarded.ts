/** What every run of the program is in, however it begins. */
import { flush, handle } from '@oclif/core'

/** @param run the command; what it throws is shown as oclif does */
export async function guarded(run: () => Promise<unknown>): Promise<void> {
  // `kubectl telemetry --help | head` closes our stdout early, which is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    await run()
    await flush()
  } catch (error) {
    await handle(error as Error)
  }
}
