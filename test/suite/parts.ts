/** Parts of `npm test` as processes whose output is printed whole when they end, so that several run at the same time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Failure, FileResult, Report } from './file-result.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tests = join(root, 'test')
const runFiles = fileURLToPath(new URL('run-files.ts', import.meta.url))

export interface Part {
  /** How the heading names it. */
  title: string
  environment?: NodeJS.ProcessEnv
  /** Takes the heading and the output, once the part has ended. */
  print?: (text: string) => void
  /** Nothing runs beside it, so its output appears as it comes. */
  live?: boolean
}

/** A command that passes or fails as a whole. */
export async function runCommand(part: Part, command: readonly string[]): Promise<FileResult> {
  const { title } = part
  const ending = await runPart(part, command)
  return ending === 'exit code 0'
    ? { passed: 1, failures: [] }
    : { passed: 0, failures: [{ where: title, what: ending }] }
}

/** @param timeout of each test, in milliseconds */
export async function runTests(
  part: Part,
  files: readonly string[],
  timeout: number,
): Promise<FileResult & { seconds: number }> {
  const { title } = part
  if (files.length === 0) return { passed: 0, failures: [{ where: title, what: 'there is no test file' }], seconds: 0 }
  const started = performance.now()
  let report: Report | undefined
  const paths = files.map((file) => join(tests, file))
  // CI=true would turn colours on, also in a file. Not by the environment, which the tests' own processes inherit.
  const colours = part.live ? [] : ['--no-color']
  const command = [process.execPath, runFiles, String(timeout), ...paths, ...colours]
  const ending = await runPart(part, command, (child) => {
    child.on('message', (message) => {
      report = message as Report
    })
  })
  return { ...resultOf(title, files, report, ending), seconds: (performance.now() - started) / 1000 }
}

function resultOf(where: string, files: readonly string[], report: Report | undefined, ending: string): FileResult {
  const only = files.length === 1 ? files[0] : undefined
  if (report === undefined)
    return { passed: 0, failures: [{ where, what: `the tests did not end: ${ending}`, file: only }] }
  const failures = report.failures.map(({ file, what }): Failure => {
    return { where, what, file: file === undefined ? only : relative(tests, file) }
  })
  if (report.passed + failures.length === 0) failures.push({ where, what: 'there is no test in it' })
  return { passed: report.passed, failures }
}

/** @param prepare for a program of ours, which gets a channel: npx would hand its number on to a process that does not have it */
async function runPart(
  part: Part,
  command: readonly string[],
  prepare?: (child: ChildProcess) => void,
): Promise<string> {
  const { title, environment = process.env, print = toStdout, live = false } = part
  const [program = '', ...words] = command
  const directory = mkdtempSync(join(tmpdir(), 'telemetry-test-'))
  const started = performance.now()
  try {
    // Both streams go to one file, which keeps their order.
    const path = join(directory, 'output')
    const file = openSync(path, 'w')
    if (live) print(`\n── ${title}\n`)
    const output = live ? (['inherit', 'inherit'] as const) : ([file, file] as const)
    const channel = prepare === undefined ? [] : (['ipc'] as const)
    const child = spawn(program, words, { cwd: root, env: environment, stdio: ['ignore', ...output, ...channel] })
    prepare?.(child)
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    closeSync(file)
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    if (!live) print(`\n── ${title} (${seconds} s)\n${readFileSync(path, 'utf8')}`)
    return code === null ? `signal ${signal}` : `exit code ${code}`
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function toStdout(text: string): void {
  process.stdout.write(text)
}
