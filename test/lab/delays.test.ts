import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { withShortDelays } from './delays.ts'

const SAMPLE = `
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus}
data:
  prometheus.yml: |
    global:
      evaluation_interval: 1m
      scrape_interval: 15s
      scrape_timeout: 10s
    scrape_configs:
    - job_name: slow
      scrape_interval: 5m
      scrape_timeout: 30s
    - job_name: kubernetes-nodes
      scheme: https
---
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: kiali
        startupProbe: {initialDelaySeconds: 30, periodSeconds: 10, failureThreshold: 6, httpGet: {port: web}}
        readinessProbe: {httpGet: {port: web}}
        livenessProbe: {initialDelaySeconds: 30}
`

describe('the delays of Istio’s samples', () => {
  const [config, deployment] = withShortDelays(SAMPLE)
    .split('\n---\n')
    .map((document) => JSON.parse(document))

  it('are shorter in the probes that pods wait for, with as much patience as before', () => {
    const [container] = deployment.spec.template.spec.containers
    const quick = { initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 90, httpGet: { port: 'web' } }
    assert.deepEqual(container.startupProbe, quick)
    assert.deepEqual(container.readinessProbe, { ...quick, initialDelaySeconds: 0, failureThreshold: 30 })
    assert.deepEqual(container.livenessProbe, { initialDelaySeconds: 30 })
  })

  it('are shorter between scrapes, except where a job has its own, and for what is scraped of the node', () => {
    assert.equal(
      config.data['prometheus.yml'],
      `global:
  evaluation_interval: 1m
  scrape_interval: 3s
  scrape_timeout: 3s
scrape_configs:
- job_name: slow
  scrape_interval: 5m
  scrape_timeout: 30s
- job_name: kubernetes-nodes
  scrape_interval: 15s
  scrape_timeout: 10s
  scheme: https
`,
    )
  })

  it('are not silently the real ones when the sample says them in another way', () => {
    assert.throws(() => withShortDelays(SAMPLE.replace('scrape_interval: 15s', 'x: 1')), /no global scrape_interval/)
  })
})
