import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import { withoutSecureJob, withSecureJob } from '../../../src/scraping/scraper/prometheus-yml.ts'
import { DROP_RULE, SECURE_JOB, SECURE_PORT_LABEL, secureJob } from '../../../src/scraping/scraper/secure-job.ts'
import { SAMPLE } from '../istio-sample.ts'
import { CHART, ODD } from './configurations.ts'

const CERTS = '/etc/istio-certs'
const WHAT = 'prometheus.yml in ConfigMap istio-system/prometheus'
const TEXTS: Record<string, string> = { "Istio's sample": SAMPLE, 'the chart': CHART, ...ODD }

interface Job {
  job_name: string
  relabel_configs?: { action: string }[]
}
const content = (text: string) =>
  (parseAllDocuments(text, { merge: true })[0]?.toJS() ?? {}) as { scrape_configs?: Job[] } & object
const jobs = (text: string) => content(text).scrape_configs ?? []
const rules = (text: string, name: string) => jobs(text).find(({ job_name }) => job_name === name)?.relabel_configs
/** The jobs that exclude annotated pods. */
const dropping = (text: string) =>
  jobs(text).flatMap(({ job_name, relabel_configs = [] }) =>
    relabel_configs.some((rule) => isDeepStrictEqual(rule, DROP_RULE)) ? [job_name] : [],
  )
const secured = (text: string) => withSecureJob(text, WHAT, CERTS)
/** The lines of one text that the other lacks. */
const missing = (from: string, to: string) => {
  const lines = to.split('\n')
  return from.split('\n').filter((line) => !lines.includes(line))
}

describe('prometheus.yml with our job', () => {
  for (const [name, text] of Object.entries(TEXTS)) {
    describe(name, () => {
      it('has the job, and keeps everything else', () => {
        const { text: after } = secured(text)
        const rest = jobs(after).filter(({ job_name }) => job_name !== SECURE_JOB)
        assert.equal(rest.length, jobs(after).length - 1)
        assert.deepEqual(
          rest.map((job) => job.job_name),
          jobs(text).map((job) => job.job_name),
        )
        for (const job of rest) {
          const kept = job.relabel_configs?.filter((rule) => JSON.stringify(rule) !== JSON.stringify(DROP_RULE))
          assert.deepEqual(kept ?? [], rules(text, job.job_name) ?? [])
        }
      })

      it('keeps every line, comments and their order included', () => {
        if (
          name === 'nothing in it' ||
          name === 'null in it' ||
          name.startsWith('all in') ||
          /brackets|braces|end$/.test(name)
        )
          return
        assert.deepEqual(
          missing(text.replace(/[^\n]$/, '$&\n'), secured(text).text)
            .filter(Boolean)
            .filter((line) => !/braces|\[.*\]/.test(line)),
          [],
        )
      })

      it('is not changed a second time', () => {
        const { text: once } = secured(text)
        assert.equal(secured(once).text, once)
      })

      it('is the same as before after the job is removed', () => {
        const after = withoutSecureJob(secured(text).text, text)
        const [a, b] = [content(after), content(text)]
        assert.deepEqual(
          { ...a, scrape_configs: a.scrape_configs ?? [] },
          { ...b, scrape_configs: b.scrape_configs ?? [] },
        )
      })

      it('keeps what the user added since', () => {
        const mine = '\n# mine\nx-mine: {a: 1}\n'
        const { text: once } = secured(text)
        if (/^\{|^---|\.\.\.$/m.test(once) || once.trim() === '') return
        const after = withoutSecureJob(once.replace(/\r?\n?$/, mine), text)
        assert.match(after, /# mine/)
        assert.deepEqual(
          { ...content(after), scrape_configs: jobs(after) },
          { ...content(text), scrape_configs: jobs(text), 'x-mine': { a: 1 } },
        )
      })
    })
  }

  it('restores the sample to the byte even from only the text', () => {
    for (const text of [SAMPLE, CHART, ODD.anchors ?? '', ODD['lines that end as on Windows'] ?? ''])
      assert.equal(withoutSecureJob(secured(text).text, text), text)
  })

  it('excludes annotated pods only in the jobs that scrape Istio’s pods as plaintext', () => {
    assert.deepEqual(dropping(secured(SAMPLE).text), ['kubernetes-pods', 'kubernetes-pods-slow'])
    assert.deepEqual(dropping(secured(CHART).text), ['kubernetes-pods', 'envoy-stats'])
    assert.deepEqual(dropping(secured(ODD.anchors ?? '').text), ['pods', 'pods-slow'])
    assert.deepEqual(dropping(secured(ODD.merges ?? '').text), ['fast', 'slow'])
  })

  it('scrapes as the other jobs do', () => {
    assert.deepEqual(jobs(secured(SAMPLE).text)[0], secureJob(CERTS, true))
    assert.deepEqual(jobs(secured(ODD.empty ?? '').text)[0], secureJob(CERTS, false))
  })

  it('uses an existing job for such pods', () => {
    const usersText = `scrape_configs:
- job_name: istio-secure-merged-metrics
  scheme: https
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: keep
    regex: .+
`
    const { text, job } = secured(usersText)
    assert.equal(text, usersText)
    assert.equal(job, 'istio-secure-merged-metrics')
  })

  it('keeps a rule that existed before', () => {
    const text = CHART.replace(
      '    # only those',
      '    # mine\n      - {action: drop, source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], regex: .+}\n      # only those',
    )
    const { text: once } = secured(text)
    assert.equal(rules(once, 'kubernetes-pods')?.filter(({ action }) => action === 'drop').length, 1)
    assert.equal(withoutSecureJob(`${once}# x\n`, text), `${text}# x\n`)
  })

  it('replaces the rule of the version that excluded whole pods', () => {
    const former = CHART.replace(
      '      # only those that ask for it\n',
      `      # kubectl-telemetry: these are scraped by job ${SECURE_JOB}\n      - action: drop\n        source_labels:\n        - ${SECURE_PORT_LABEL}\n        regex: .+\n$&`,
    )
    assert.equal(secured(former).text, secured(CHART).text)
    assert.equal(withoutSecureJob(`${former}# x\n`, CHART), `${CHART}# x\n`)
  })

  describe('the rule that excludes', () => {
    const { regex } = DROP_RULE
    // Prometheus joins the labels with semicolons, and matches the whole text.
    const excluded = (labels: string[]) => new RegExp(`^(?:${regex})$`).test(labels.join(';'))
    for (const [what, labels, expected] of [
      ['Istio’s merged metrics', ['15092', '10.1.2.3:15020', '/stats/prometheus', ''], true],
      ['Envoy’s own metrics', ['15092', '[fd00::1]:15090', '/stats/prometheus', ''], true],
      ['another port of the agent', ['15091', '10.1.2.3:15999', '/stats/prometheus', 'true'], true],
      ['the application without merging', ['15092', '10.1.2.3:9102', '/metrics', 'false'], false],
      [
        'an application with Istio’s path, without merging',
        ['15092', '10.1.2.3:9102', '/stats/prometheus', 'false'],
        false,
      ],
      ['a pod that is not scraped over mutual TLS', ['', '10.1.2.3:15020', '/stats/prometheus', ''], false],
    ] as const)
      it(`${expected ? 'excludes' : 'keeps'} ${what}`, () => assert.equal(excluded([...labels]), expected))

    it('is the last one, so that it sees the final address', () => {
      for (const name of dropping(secured(SAMPLE).text))
        assert.deepEqual(rules(secured(SAMPLE).text, name)?.at(-1), DROP_RULE)
    })
  })

  describe('after the user has edited the text', () => {
    const two = `${CHART}---\n# the second\nsecond: {a: 1}   # mine\n...\n---\nthird:\n`

    it('keeps the other documents to the byte', () => {
      const since = secured(two).text.replace('interval: 1m', 'interval: 2m')
      assert.equal(withoutSecureJob(since, two), two.replace('interval: 1m', 'interval: 2m'))
      const braces = `${ODD['all in braces']}\n---\n# the second\nb: 1\n`
      const undone = withoutSecureJob(`${secured(braces).text}# x\n`, braces)
      assert.ok(undone.endsWith('\n---\n# the second\nb: 1\n# x\n'))
      assert.deepEqual(jobs(undone), jobs(braces))
    })

    it('leaves none of our comments, also where they were moved, and keeps the user’s', () => {
      const [, comment = ''] = /\n( *# kubectl-telemetry:.*\n)/.exec(secured(CHART).text) ?? []
      const moved = secured(CHART)
        .text.replace(comment, '')
        .replace('alerting:', `${comment}alerting:`)
        .replace(`- job_name: ${SECURE_JOB}\n`, '$&    # for the audit\n')
      const after = withoutSecureJob(moved, CHART)
      assert.doesNotMatch(after, /kubectl-telemetry/)
      assert.match(after, /# for the audit\n/)
      assert.deepEqual(content(after), content(CHART))
    })

    it('keeps a line in a text block that looks like our comment', () => {
      const text = `${CHART}x-text: |\n  # kubectl-telemetry: not a comment\n`
      assert.equal(withoutSecureJob(`${secured(text).text}# x\n`, text), `${text}# x\n`)
    })

    it('refuses a text from which the job cannot be removed exactly', () => {
      const shared = `x-jobs: &ours\n- {job_name: ${SECURE_JOB}}\nscrape_configs: *ours\n`
      assert.throws(() => withoutSecureJob(shared, CHART), { code: 'PROMETHEUS_CONFIG_UNKNOWN' })
      assert.throws(() => withoutSecureJob('a: [', CHART), { code: 'YAML_INVALID' })
    })
  })

  describe('that is hostile', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join()}]\n`).join('')}`
    for (const [what, text] of [
      ['aliases that multiply', bomb],
      ['deep nesting', `a: ${'['.repeat(10_000)}`],
      ['deep nesting that ends', `a: ${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ] as const)
      it(`refuses ${what}`, () => {
        assert.throws(() => secured(text), { code: 'YAML_INVALID' })
        assert.throws(() => withoutSecureJob(text, CHART), { code: 'YAML_INVALID' })
      }).timeout(20_000)

    it('reads jobs and files of any type', () => {
      const odd =
        'scrape_config_files: [{toString: 1}, 2]\nscrape_configs:\n- 1\n- [a]\n- {kubernetes_sd_configs: 1, relabel_configs: {a: 1}}\n- {__proto__: {job_name: x}}\n'
      assert.deepEqual(secured(odd).files, ['{"toString":1}', '2'])
    })

    it('changes a text with many jobs at once', () => {
      const many = Array.from(
        { length: 300 },
        (_, number) =>
          `- {job_name: p${number}, kubernetes_sd_configs: [{role: pod}], relabel_configs: [{action: keep, regex: '15020', source_labels: [a]}]}\n`,
      )
      assert.equal(dropping(secured(`scrape_configs:\n${many.join('')}`).text).length, 300)
    }).timeout(20_000)
  })

  it('reports line and column of a syntax error', () => {
    const wrong = 'global: {}\nscrape_configs:\n- job_name: a\n   metrics_path: /x\n'
    assert.throws(() => secured(wrong), {
      code: 'YAML_INVALID',
      message: /ConfigMap istio-system\/prometheus cannot be read: line 3, column 13: /,
    })
    assert.throws(() => secured('scrape_configs: {a: 1}\n'), { code: 'PROMETHEUS_CONFIG_UNKNOWN' })
    assert.throws(() => secured('- a\n'), { code: 'PROMETHEUS_CONFIG_UNKNOWN' })
  })
})
