/** Pure: adapts checks that throw to prompts. */

/** Turns a function that throws into one that returns the message of the error, or undefined. */
export function complaintOf(require: (text: string) => unknown): (text: string) => string | undefined {
  return (text) => {
    try {
      require(text)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}
