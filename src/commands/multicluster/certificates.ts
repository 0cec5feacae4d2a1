import { BaseCommand } from '../../base-command.ts'
import { certificatesFlags, certificatesRequest, withoutCluster } from '../../flags/multicluster.ts'
import { makeCertificates } from '../../multicluster/certificates.ts'
import { renderCertificates } from '../../rendering/multicluster/clusters.ts'

export default class MulticlusterCertificates extends BaseCommand {
  static override baseFlags = withoutCluster
  static override summary = 'Make a root CA, and for each cluster the files of its CA, without any cluster'
  static override description =
    `The files have the names of Istio's tools/certs, for people who deploy the Secret "cacerts" with their own tools: \
ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem for each cluster, and beside them the root with its key, which no cluster \
needs. "connect" gives them to running clusters without a failed connection: --cacerts NAME=DIR.`
  static override examples = [
    'Two clusters\n<%= config.bin %> multicluster certificates --cluster west --cluster east --out certificates',
    'A third one, under the same root\n<%= config.bin %> multicluster certificates --cluster south --out certificates --root-cert certificates/root-cert.pem --root-key certificates/root-key.pem',
  ]
  static override flags = certificatesFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(MulticlusterCertificates)
    const result = await makeCertificates(await certificatesRequest(flags), await this.machine())
    this.answer(renderCertificates(result, flags.output), '', true)
  }
}
