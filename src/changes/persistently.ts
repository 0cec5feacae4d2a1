import { hasCode } from '../errors.ts'

/** Controllers write into objects all the time, so a few conflicts are normal; after this many the error is reported. */
const ATTEMPTS = 5

/** Repeats work that ends in CONFLICT. @param work reads the object again, except for the attempt 0 */
export async function persistently<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!hasCode(error, 'CONFLICT') || attempt + 1 >= ATTEMPTS) throw error
    }
  }
}
