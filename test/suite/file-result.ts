/** What one run of test files came to. */

export interface Failure {
  /** The file, and the mesh where there is one. */
  where: string
  /** Title of the test or hook, then the error. */
  what: string
}

export interface FileResult {
  passed: number
  failures: Failure[]
}

/** What the process that ran the files sends to the one that started it. */
export interface Report {
  passed: number
  failures: string[]
}
