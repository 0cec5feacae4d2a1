/** docs/codes.md, made from the catalogue. */

type Form = 'usage' | 'error' | 'interrupt' | 'fails' | 'warns' | 'notes' | 'skips'

const FORMS: Record<Form, { appears: string; exit: string }> = {
  usage: { appears: 'error', exit: '2' },
  error: { appears: 'error', exit: '1' },
  interrupt: { appears: 'error', exit: '130' },
  fails: { appears: 'finding (`fails`)', exit: '1' },
  warns: { appears: 'finding (`warns`)', exit: '0' },
  notes: { appears: 'finding (`notes`)', exit: '0' },
  skips: { appears: 'reason', exit: '0 or 1' },
}

const HEAD = `# Codes of errors and findings

Every error and every finding has a code: in parentheses at the end of its line, and as \`code\` in \`-o json\` and \`-o yaml\`.
A code has one meaning and is never reused, so scripts can branch on it. The message beside it may change.

- An **error** ends the command.
- A **finding** is part of a result: in \`warnings\`, or in \`problems\` of \`status\`. Its \`severity\` is \`fails\` (shown as \`error:\`),
  \`warns\` (\`warning:\`) or \`notes\` (\`note:\`). A finding that fails makes the exit code 1, except in \`status --watch\`.
- A **reason** says why \`scrape-secure\` skips a workload. The exit code is 1 if that workload was named or if none is left.

This page is generated from \`src/codes.ts\`: \`UPDATE_GOLDEN=1 npx mocha test/codes.test.ts\`.
`

/** @param text `usage, error: What it means.` */
export function partsOf(text: string): { forms: Form[]; meaning: string } {
  const colon = text.indexOf(': ')
  return { forms: text.slice(0, colon).split(', ') as Form[], meaning: text.slice(colon + 2) }
}

export function isForm(text: string): text is Form {
  return text in FORMS
}

export function codesPage(codes: Record<string, string>): string {
  const rows = Object.keys(codes)
    .sort()
    .map((code) => {
      const { forms, meaning } = partsOf(codes[code] ?? '')
      const each = (part: 'appears' | 'exit') => [...new Set(forms.map((form) => FORMS[form][part]))].join(', ')
      return `| \`${code}\` | ${meaning} | ${each('appears')} | ${each('exit')} |`
    })
  return [HEAD, '| code | meaning | appears as | exit code |', '|---|---|---|---|', ...rows, ''].join('\n')
}
