/** What one run of test files came to. */

export interface Failure {
  /** The file, and the mesh where there is one. */
  where: string
  /** Title of the test or hook, then the error. */
  what: string
  /** Relative to `test`, where it is one test file. */
  file?: string | undefined
}

export interface FileResult {
  passed: number
  failures: Failure[]
  /** Of tests that passed when their file ran again. */
  unstable?: Failure[]
}

/** What the process that ran the files sends to the one that started it. */
export interface Report {
  passed: number
  /** `file` is an absolute path. */
  failures: { file?: string | undefined; what: string }[]
}
