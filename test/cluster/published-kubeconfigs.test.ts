/** Users of kubeconfigs as clouds' tools write them (docs/decisions/0031): which program is run, and with what. */
import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { openConnection } from '../../src/cluster/connecting/kube-connection.ts'
import { loadKubeConfig } from '../../src/cluster/kubeconfig/kube-config.ts'
import { KubeConfigFiles } from './kubeconfig-files.ts'

/** Answers with its name, its arguments, a variable, and whether it was told of the cluster, in place of a token. */
const PLUGIN = `#!/bin/sh
case "$KUBERNETES_EXEC_INFO" in *'"server":"https://server.test"'*) told=yes ;; *) told=no ;; esac
echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"'"\${0##*/} $* profile=$AWS_PROFILE told=$told"'"}}'
`
const CONTEXT = 'arn:aws:eks:eu-central-1:111122223333:cluster/mesh'
const file = (exec: string, context = CONTEXT) => `apiVersion: v1
clusters:
- cluster:
    server: https://server.test
  name: ${context}
contexts:
- context:
    cluster: ${context}
    user: ${context}
  name: ${context}
current-context: ${context}
kind: Config
preferences: {}
users:
- name: ${context}
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
${exec.replace(/^/gm, '      ')}
`

describe('published kubeconfigs', () => {
  let files: KubeConfigFiles
  beforeEach(async () => {
    files = await KubeConfigFiles.create()
    await mkdir(files.path('bin'))
    for (const name of ['aws', 'gke-gcloud-auth-plugin', 'doctl', 'kubelogin']) {
      const path = files.path(join('bin', name))
      await writeFile(path, PLUGIN)
      await chmod(path, 0o755)
    }
  })
  afterEach(() => files.remove())

  const rows: [name: string, exec: string, context: string, expected: string][] = [
    [
      'aws eks update-kubeconfig --profile',
      'args:\n- --region\n- eu-central-1\n- eks\n- get-token\n- --cluster-name\n- mesh\n- --output\n- json\ncommand: aws\nenv:\n- name: AWS_PROFILE\n  value: platform',
      CONTEXT,
      'aws --region eu-central-1 eks get-token --cluster-name mesh --output json profile=platform told=no',
    ],
    [
      'gcloud container clusters get-credentials',
      'args: null\ncommand: gke-gcloud-auth-plugin\nenv: null\ninstallHint: Install gke-gcloud-auth-plugin for use with kubectl by following\n  its page\ninteractiveMode: IfAvailable\nprovideClusterInfo: true',
      'gke_project_europe-west3_mesh',
      'gke-gcloud-auth-plugin  profile= told=yes',
    ],
    [
      'doctl kubernetes cluster kubeconfig save',
      'args:\n- kubernetes\n- cluster\n- kubeconfig\n- exec-credential\n- --version=v1beta1\n- --context=default\n- 0a1b2c3d-0000\ncommand: doctl\nenv: null\ninteractiveMode: IfAvailable\nprovideClusterInfo: false',
      'do-fra1-mesh',
      'doctl kubernetes cluster kubeconfig exec-credential --version=v1beta1 --context=default 0a1b2c3d-0000 profile= told=no',
    ],
    [
      'kubelogin convert-kubeconfig',
      'command: kubelogin\nargs:\n  - get-token\n  - --environment\n  - AzurePublicCloud\n  - --server-id\n  - 6dae42f8-0000-4000-8000-000000000001\n  - --client-id\n  - 80faf920-0000-4000-8000-000000000002\n  - --tenant-id\n  - 00000000-0000-4000-8000-000000000003',
      'mesh',
      'kubelogin get-token --environment AzurePublicCloud --server-id 6dae42f8-0000-4000-8000-000000000001 --client-id 80faf920-0000-4000-8000-000000000002 --tenant-id 00000000-0000-4000-8000-000000000003 profile= told=no',
    ],
  ]
  for (const [name, exec, context, expected] of rows)
    it(name, async () => {
      const environment = { PATH: files.path('bin'), KUBECONFIG: await files.write('config', file(exec, context)) }
      const config = loadKubeConfig({ environment })
      assert.equal(config.context, context)
      const connection = await openConnection(config, { impersonate: {}, timeout: 5_000, environment })
      await connection.transport.destroy()
      assert.equal(connection.headers.authorization, `Bearer ${expected}`)
    })

  it('names the program that is missing', async () => {
    const environment = { PATH: files.path('bin'), KUBECONFIG: await files.write('config', file('command: tsh')) }
    const trying = openConnection(loadKubeConfig({ environment }), { impersonate: {}, timeout: 5_000, environment })
    await assert.rejects(trying, { code: 'CREDENTIALS_FAILED', message: /"tsh"/ })
  })
})
