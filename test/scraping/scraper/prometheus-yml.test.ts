import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import { withoutSecureJob, withSecureJob } from '../../../src/scraping/scraper/prometheus-yml.ts'
import { DROP_RULE, SECURE_JOB, secureJob } from '../../../src/scraping/scraper/secure-job.ts'
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
const secured = (text: string) => withSecureJob(text, WHAT, CERTS)
/** The lines of one that the other lacks. */
const missing = (from: string, to: string) => {
  const lines = to.split('\n')
  return from.split('\n').filter((line) => !lines.includes(line))
}

describe('prometheus.yml with a job of ours', () => {
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

      it('is as before without it', () => {
        const after = withoutSecureJob(secured(text).text, text)
        const [a, b] = [content(after), content(text)]
        assert.deepEqual(
          { ...a, scrape_configs: a.scrape_configs ?? [] },
          { ...b, scrape_configs: b.scrape_configs ?? [] },
        )
      })

      it('keeps what somebody added meanwhile', () => {
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

  it('gives the sample back to the byte also where only the text is known', () => {
    for (const text of [SAMPLE, CHART, ODD.anchors ?? '', ODD['lines that end as on Windows'] ?? ''])
      assert.equal(withoutSecureJob(secured(text).text, text), text)
  })

  it('drops annotated pods in the jobs that scrape Istio’s pods in clear, and in no other', () => {
    assert.deepEqual(secured(SAMPLE).excluding, ['kubernetes-pods', 'kubernetes-pods-slow'])
    assert.deepEqual(secured(CHART).excluding, ['kubernetes-pods', 'envoy-stats'])
    assert.deepEqual(secured(ODD.anchors ?? '').excluding, ['pods', 'pods-slow'])
    assert.deepEqual(secured(ODD.merges ?? '').excluding, ['fast', 'slow'])
  })

  it('scrapes as the other jobs do', () => {
    assert.deepEqual(jobs(secured(SAMPLE).text)[0], secureJob(CERTS, true))
    assert.deepEqual(jobs(secured(ODD.empty ?? '').text)[0], secureJob(CERTS, false))
  })

  it('uses a job for such pods that is there already', () => {
    const theirs = `scrape_configs:
- job_name: istio-secure-merged-metrics
  scheme: https
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: keep
    regex: .+
`
    const { text, job } = secured(theirs)
    assert.equal(text, theirs)
    assert.equal(job, 'istio-secure-merged-metrics')
  })

  it('leaves a rule alone that was there before us', () => {
    const text = CHART.replace(
      '    # only those',
      '    # mine\n      - {action: drop, source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], regex: .+}\n      # only those',
    )
    const { text: once } = secured(text)
    assert.equal(rules(once, 'kubernetes-pods')?.filter(({ action }) => action === 'drop').length, 1)
    assert.equal(withoutSecureJob(`${once}# x\n`, text), `${text}# x\n`)
  })

  it('says where it cannot be read', () => {
    const wrong = 'global: {}\nscrape_configs:\n- job_name: a\n   metrics_path: /x\n'
    assert.throws(() => secured(wrong), {
      code: 'YAML_INVALID',
      message: /ConfigMap istio-system\/prometheus cannot be read: line 3, column 13: /,
    })
    assert.throws(() => secured('scrape_configs: {a: 1}\n'), { code: 'PROMETHEUS_CONFIG_UNKNOWN' })
    assert.throws(() => secured('- a\n'), { code: 'PROMETHEUS_CONFIG_UNKNOWN' })
  })
})
