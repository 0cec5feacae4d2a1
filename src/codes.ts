import { ACCESS_CODES } from './codes/access.ts'
import { EXPORTING_CODES } from './codes/exporting.ts'
import { INSTALLING_CODES } from './codes/installing.ts'
import { MULTICLUSTER_CODES } from './codes/multicluster.ts'
import { SERVICE_CODES } from './codes/services.ts'
import { TRACING_CODES } from './codes/tracing.ts'
import { TRAFFIC_CODES } from './codes/traffic.ts'
import { VERIFYING_CODES } from './codes/verifying.ts'

/**
 * Every code of errors and findings, with how it appears and what it means. A code has one meaning and is never reused: scripts branch on
 * it. docs/codes.md is generated from this file. Source imports only the type, so no command loads the sentences.
 *
 * Before the colon: `usage` an error with exit code 2, `error` an error with exit code 1, `interrupt` an error with exit code 130,
 * `fails`, `warns` and `notes` a finding of that severity, `skips` the reason why a workload is left out.
 */
export const CODES = {
  ...ACCESS_CODES,
  ...EXPORTING_CODES,
  ...INSTALLING_CODES,
  ...MULTICLUSTER_CODES,
  ...SERVICE_CODES,
  ...TRACING_CODES,
  ...TRAFFIC_CODES,
  ...VERIFYING_CODES,
  // the API server and the kubeconfig
  ANSWER_UNEXPECTED: 'error: A successful answer of the API server is not what Kubernetes answers.',
  CLUSTER_UNREACHABLE: 'error, fails: The API server does not answer, or its connection broke.',
  CONFLICT: 'error: An object changed between reading and writing it.',
  CONTEXT_UNKNOWN: 'usage, error: The kubeconfig has no context of this name.',
  CREDENTIALS_FAILED: 'error, fails: The credentials of the context cannot be obtained.',
  FIELD_CONFLICT: 'error, skips: Another field manager owns a field that this command sets.',
  FORBIDDEN: 'error, skips: The user lacks a right that this command needs.',
  FORWARD_REFUSED:
    'error: The API server supports neither WebSocket nor SPDY for port forwarding, or for programs in containers.',
  IMPERSONATION_INVALID: 'usage, error: Groups, a UID or extra values are to be acted with, but no user.',
  KUBECONFIG_ENTRY_UNKNOWN: 'usage: The cluster or the user that a flag names is not in the kubeconfig.',
  KUBECONFIG_INVALID: 'error: The kubeconfig cannot be read, or its parts do not fit together.',
  KUBECONFIG_MISSING: 'usage, error: There is no kubeconfig.',
  LIST_EXPIRED: 'error: A list took longer than the API server keeps it, also when it was read at once.',
  NOT_FOUND: 'error, skips: The API server has no such object or resource.',
  RECORD_INVALID:
    'error, skips, warns: The record of an earlier change, in an annotation, is invalid, so its object is left unchanged.',
  MANAGED_ELSEWHERE:
    'warns, notes: Another tool (Helm, Argo CD, Flux, an operator) manages an object that is changed, and may reset the change.',
  PROXY_INVALID: 'error: The environment or the kubeconfig names a proxy by an address that cannot be used.',
  PROXY_UNSAFE: 'error: HTTP_PROXY is set beside REQUEST_METHOD, where clients of a web server choose it.',
  REDIRECTED: 'error: The API server redirects to another server, to which no credentials are sent.',
  REJECTED: 'error, skips: The API server or an admission webhook rejects an object.',
  SERVER_FAILED: 'error, fails: The API server reports a failure of its own.',
  UNAUTHENTICATED: 'error, fails: The API server does not accept the credentials.',

  // this command and this machine
  BUG: 'error: kubectl telemetry failed by a fault of its own.',
  CONSENT_REQUIRED: 'error: The command would change something, and there is no terminal to ask for consent.',
  DATA_NOT_WRITTEN: 'error: The directory for CAs on this machine is not known, or cannot be written.',
  DECLINED: 'error: The user declined.',
  DURATION_INVALID: 'usage: The value of a flag is not a duration.',
  FILE_EXISTS: 'error: The file exists already and is not overwritten.',
  FILE_NOT_WRITTEN: 'error: The file cannot be written.',
  FILE_REQUIRED: 'usage: The output is binary and needs a file name.',
  FILE_UNREADABLE: 'usage: The file that a flag names cannot be read.',
  PATH_UNUSABLE:
    'warns: The configuration of an add-on names a path that could be more than a path, so it is not used.',
  OUTPUT_FAILED: 'error: The answer could not be written to stdout, for example because the disk is full.',
  INTERRUPTED: 'interrupt: A signal, such as Ctrl-C, ended the command.',
  NODE_TOO_OLD: 'error: The Node.js that runs the command is older than 22.19.',
  TERMINAL_REQUIRED: 'error: The wizard needs a terminal.',
  USAGE: 'usage: A flag or argument is unknown, missing, or excludes another one.',

  // objects that the command changes
  CHANGED_ON_WRITE: 'error, skips: A webhook changed an object while it was written.',
  NOT_OURS: 'error, skips, warns: An object of the same name exists that kubectl telemetry did not create.',
  NOT_SEARCHED: 'warns: Some kinds of objects may not be listed, so an undo may miss objects.',
  NOT_THE_PAGES: "notes: An object has a name of Istio's page, but other content or other users, so it is kept.",
  OBJECT_NOT_TRUSTED: 'warns: An object says that it is one of kubectl telemetry or of an add-on, and is not believed.',
  ROLLOUT_FAILED: 'error, warns: The pods of a workload were not ready again in time.',
  UNSETTLED: 'error: Another run keeps changing the same objects.',
  YAML_INVALID: 'error, fails, skips, warns: A text in YAML that the command must change cannot be parsed.',

  // add-ons
  ADDONS_APART: 'error: No namespace has all of the chosen add-ons.',
  ADDON_AMBIGUOUS: 'error, warns: Several Services fit an add-on.',
  ADDON_GONE: 'fails: An exposed add-on no longer exists.',
  ADDON_NOT_FOUND: 'error, warns: No Service fits an add-on.',
  ADDON_NOT_READY: 'fails: An add-on has no ready pod.',
  ADDON_ONLY_MARKED:
    'error, warns: Only an annotation says that a Service is an add-on, and -n does not name its namespace.',
  ADDON_OTHER_PRODUCT: 'error, warns: Another product runs in the place of an add-on.',
  ADDON_SPEAKS_HTTPS: 'error, warns: An add-on speaks HTTPS itself, and no DestinationRule makes the gateway do so.',
  SEVERAL_SERVERS: 'error: A Service leads to several Prometheus servers, so the answers would alternate.',
  ADDON_UNKNOWN: 'usage: The name is not the name of an add-on.',
  LINK_HIDDEN: 'notes: Kiali does not show a link, because that integration is switched off.',
  LINK_IMPOSSIBLE: "error: Kiali's configuration has no place for the link.",

  // ingress gateways and their addresses
  ADDRESS_INVALID: 'usage: The address of the ingress gateway is neither an IP address nor a host name.',
  ADDRESS_MAY_CHANGE: 'warns: The address belongs to a load balancer whose addresses change.',
  ADDRESS_NOT_FOUND: 'error, warns, fails: The ingress gateway has no address outside the cluster.',
  CLIENT_ADDRESS_HIDDEN: 'warns: The ingress gateway does not see the addresses of clients, which an allow list needs.',
  GATEWAY_ALSO_AT:
    'warns, notes: Another Service leads to the same gateway pods, so exposed pages answer at its address, too.',
  GATEWAY_AMBIGUOUS: 'error: Several ingress gateways exist, and none was chosen.',
  GATEWAY_CANNOT_READ_SECRETS: 'error: The service account of the ingress gateway may not list Secrets.',
  GATEWAY_GONE: 'fails: Add-ons are exposed, but no Service leads to their ingress gateway.',
  GATEWAY_INVALID: 'usage: The value of --gateway is not NAMESPACE/SERVICE.',
  GATEWAY_LABELS_SHARED:
    'error: The pods of another ingress gateway have the same labels, so an exposure would be served there without its guards.',
  GATEWAY_LABELS_UNCHECKED:
    'warns: Pods of other namespaces cannot be listed, so other gateways with the same labels are not found.',
  GATEWAY_NOT_FOUND: 'error, warns: No ingress gateway was found.',
  GATEWAY_NOT_READY: 'warns: The ingress gateway has no ready pod.',
  GATEWAY_PORT_MISSING: 'error: The Service of the ingress gateway lacks a port that the exposure needs.',
  GATEWAY_PORT_OTHER_PROTOCOL:
    'error: Another Gateway, or a load balancer that ends TLS, has another protocol at the port that the exposure needs.',
  GATEWAY_API_GATEWAY: 'error: Gateway API manages the ingress gateway, and there is no exposure there yet.',
  ISTIO_NOT_FOUND: 'error, warns: The cluster has no Istio.',
  NODE_PORT_INVALID: 'usage: The value of --node-port is wrong, or names no add-on of this command.',
  NODE_PORT_REFUSED: 'error: The API server refuses the node port.',
  SERVICE_PORT_TAKEN: 'error: The Service of the ingress gateway uses the port for something else.',

  // domains and hosts
  DNS_UNRESOLVED: 'warns: A host does not resolve to the ingress gateway on this machine.',
  DOMAIN_INVALID: 'usage: The value of --domain is not a domain.',
  DOMAIN_REQUIRED: 'error: No domain can be derived from the address, so --domain must name one.',
  DOMAIN_TOO_WIDE: 'usage: Others have names in the domain, so no CA is made for all of it.',
  DOMAIN_UNCLEAR: 'usage: No exposure, or more than one domain, is in use, so --domain must name one.',
  HOST_COVERED: 'warns: Another Gateway serves a wildcard that includes the host.',
  HOST_MOVED: 'warns: An exposed add-on gets another URL.',
  HOST_TAKEN: 'error: Another Gateway or VirtualService serves the host.',
  REDIRECT_LEFT_OUT: 'notes: HTTP is not redirected to HTTPS, because the port is in use.',

  // exposures
  CLUSTER_ABSENT: 'warns: There is no cluster to ask, so the manifests are for an assumed mesh.',
  CLOCK_SKEW: "notes: The clock of this machine differs from the API server's by more than a minute.",
  EXPOSURE_EXPIRED: 'fails: An exposure is past its --ttl.',
  EXPOSURE_LEFTOVERS: 'fails: Objects of an exposure are left, but their Gateway no longer exists.',
  INSECURE: 'warns: The exposure is plaintext.',
  NOT_EXPOSED: 'notes: The add-on to remove is not exposed.',
  PROBE_FAILED: 'fails: An exposed page does not answer, or not as it must.',
  SCRAPING_WITH_ADDONS: 'usage: cleanup --scraping excludes add-ons and the flags about exposures.',
  STATUS_UNREAD: 'warns: The user lacks a right to read part of what status reports.',

  // certificates and CAs
  CA_CONFLICT: 'error: Another run made a CA for the same domain at the same moment.',
  CA_ELSEWHERE: 'error, warns: The CA of the exposure is not on this machine.',
  CA_EXISTS: 'error: This machine has another CA for the domain already.',
  CA_EXPIRED: 'error, warns: The CA has expired.',
  CA_FINGERPRINT_REQUIRED:
    'error, warns: A CA in the cluster is neither of this machine nor limited to a domain that is seen to be exposed.',
  CA_INVALID: 'usage: The files of --ca-cert and --ca-key are not a usable CA.',
  CA_NOT_FOR_GATEWAY:
    'error, warns: This machine has not used its CA for the hosts of a gateway, so it signs nothing for them.',
  CA_NOT_FOUND: 'error: This machine has no CA for the domain.',
  CA_NOT_IN_SECRET: 'error: The TLS Secret does not contain the certificate of its CA.',
  CA_NOT_KEPT: 'notes: The CA of a dry run is not kept.',
  CA_REPLACED: 'warns: A new CA replaces one of another machine, so clients must trust the new one.',
  CA_SHARED: 'warns: A CA of this machine signs for a gateway or a cluster for which it did not sign before.',
  CA_UNREADABLE: 'error: The files of a CA on this machine cannot be read.',
  CERTIFICATES_IN_USE: 'usage: The CAs cannot be removed while add-ons stay exposed.',
  CERTIFICATE_EXPIRED: 'fails: A certificate has expired.',
  CERTIFICATE_EXPIRES_SOON: 'fails: A certificate expires sooner than --expires-in.',
  CERTIFICATE_INVALID: 'error: The certificate in a Secret cannot serve these hosts now.',
  CERTIFICATE_KEPT: 'notes: The certificate keeps hosts that are no longer exposed.',
  CERTIFICATE_NOT_ISSUED: 'error: cert-manager did not issue the certificate in time.',
  CERT_MANAGER_NOT_FOUND: 'error: The cluster has no cert-manager.',
  ISSUER_INVALID: 'usage: The value of --tls-issuer is not the name of an issuer.',
  FINGERPRINT_INVALID: 'usage: The value of --fingerprint is not a SHA-256 fingerprint.',
  FINGERPRINT_MISMATCH: 'error: No CA of the exposures has the given fingerprint.',
  NAMES_MISSING: 'fails: A certificate lacks a host that its Gateway serves.',
  NOTHING_EXPOSED: 'error: Nothing is exposed over HTTPS, so there is no certificate to export.',
  NOT_REACHED: 'warns: The certificate that the ingress gateway serves cannot be seen from this machine.',
  NO_CA_IN_USE: 'error: No exposure uses a CA whose certificate is in the cluster.',
  NO_ROTATION: 'error: No rotation of a CA is in progress.',
  NO_TRUST_STORE: 'fails: This machine has no trust store of a system or a browser.',
  OWN_CERTIFICATE_EXPIRES_SOON: "warns: The user's own certificate expires soon.",
  PASSWORD_INVALID: 'usage: The password for the exported file is empty.',
  PKCS12_RSA_ONLY: 'error: PKCS#12 export supports only RSA keys.',
  PRIVATE_KEY_SHOWN: 'warns: The output contains a private key.',
  ROTATION_CONFLICT: 'error: Another run began to rotate the same CA at the same moment.',
  ROTATION_FLAGS: 'usage: A new CA can be given only when a rotation begins.',
  ROTATION_OPEN: 'error: Another rotation of the CA is in progress.',
  SECRET_AMBIGUOUS: 'error: Several TLS Secrets are in use, and none was chosen.',
  SECRET_ELSEWHERE: 'error: The TLS Secret is not in the namespace of the ingress gateway.',
  SECRET_INVALID: 'fails: A TLS Secret has no certificate with its key.',
  SECRET_MISSING: 'fails: The TLS Secret of a Gateway does not exist.',
  SECRET_NAME_INVALID: 'usage: The value of --tls-secret is not the name of a Secret.',
  SECRET_NOT_FOUND: 'error: The Secret of --tls-secret does not exist.',
  SECRET_NOT_OURS: 'error, warns: The certificate to rotate was not made by kubectl telemetry.',
  SECRET_UNUSABLE: 'error: The TLS Secret to export has no certificate and key.',
  SERVED_DIFFERS: 'fails: The ingress gateway serves another certificate than its Secret contains.',
  WILDCARD: "warns: The user's own certificate is for a wildcard, which browsers may use for other hosts.",

  // forwarding
  ADDRESS_NOT_HERE: 'error: This machine does not have the address to listen at.',
  ADDRESS_OPEN: 'warns: The network can reach a forwarded add-on that lets anyone in.',
  BROWSER_NOT_OPENED: 'notes: No browser could be opened.',
  HTTPS_WANTED: 'notes: A forwarded Service speaks HTTPS, and refused a request for plain HTTP.',
  LOCAL_ADDRESS_INVALID: 'usage: The value of --address is not an IP address.',
  PORT_FORBIDDEN: 'error: Only root may listen on the local port.',
  PORT_INVALID: 'usage: The value of -p is wrong, or names no add-on of this command.',
  PORT_MISSING: 'error: The Service to forward has no such port.',
  PORT_TAKEN: 'error: Another process uses the local port.',
  SERVICE_INVALID: 'usage: The argument is not svc/NAME or svc/NAME:PORT.',
  SERVICE_NOT_FOUND: 'error: The Service to forward does not exist.',

  // secure scraping: Prometheus
  HARDEN_UNPROVEN: 'usage: The flag needs a Prometheus that proves the scraping, so --prometheus none excludes it.',
  PROMETHEUS_CHANGED: 'fails: Prometheus no longer contains everything that secure scraping needs.',
  PROMETHEUS_CHOSEN:
    'notes: Several Prometheus servers exist, and the report is about the only one that may scrape over mutual TLS.',
  PROMETHEUS_CONFIG_FIXED: 'error, fails: The configuration of Prometheus cannot be changed where it is.',
  PROMETHEUS_CONFIG_UNKNOWN: 'error, fails, warns: prometheus.yml has a form that cannot be changed safely.',
  PROMETHEUS_DATA_LOST: 'warns: Prometheus restarts and loses its data, because it has no persistent volume.',
  PROMETHEUS_NAME_INVALID: 'usage: The value of --prometheus is not NAMESPACE/NAME or none.',
  PROMETHEUS_NOT_FOUND: 'error: No Prometheus was found.',
  PROMETHEUS_NOT_INJECTABLE: 'error, fails: Istio cannot give Prometheus a certificate.',
  PROMETHEUS_PROTECTED: 'error: Prometheus wants a login or a client certificate, so its targets cannot be read.',
  PROMETHEUS_ROLLOUT_BLOCKED:
    'error, warns: Prometheus has to restart, and its strategy or a pause keeps a new pod from starting.',
  PROMETHEUS_UNCHECKED:
    'warns: Whether Prometheus still contains everything that secure scraping needs cannot be read.',
  PROMETHEUS_UNREACHABLE: 'error: Prometheus does not answer.',
  SCRAPE_FILES_UNREAD: 'warns: prometheus.yml includes files that the command does not read.',
  SEVERAL_PROMETHEUS: 'error: Several Prometheus servers exist, and none was chosen.',
  TARGETS_UNKNOWN: 'fails: The targets of Prometheus cannot be read.',

  // secure scraping: workloads
  FIT_UNCHECKED: 'warns: Whether the objects for a scraped workload are still right cannot be read.',
  SCRAPING_LEFTOVERS: 'fails: An object of secure scraping is left that no workload needs.',
  NAMESPACE_NOT_READ: 'warns, fails: The user lacks a right to read the workloads of a namespace.',
  NOT_CLOSED: 'fails: A hardened workload still serves its metrics as plaintext.',
  NOT_HARDENED: 'fails: The plaintext ports stay open, because not every target is up.',
  NOT_REFUSED: 'fails: A secure port answers a client that it must refuse.',
  NO_LONGER_FITS: 'fails: A scraped workload has changed so that a new run would skip it.',
  NO_WORKLOADS: 'warns: No workload with a sidecar was found.',
  OUTDATED: 'fails: The objects for a scraped workload no longer fit it; a new run updates them.',
  PLAINTEXT_LEFT: 'fails: After --harden a workload that was left out still serves its metrics as plaintext.',
  PLAINTEXT_UNCHECKED: 'warns: Whether a workload serves its metrics as plaintext cannot be checked.',
  ROLLOUT_UNFINISHED: 'fails: Not all pods of a scraped workload are replaced yet.',
  SCRAPED_TWICE: 'warns, fails: More than one job scrapes a pod.',
  SELECTION_INVALID: 'usage: Names, -l, -n and -A of scrape-secure exclude each other.',
  TARGET_DOWN: 'fails: Prometheus reports a target as down.',
  WORKLOADS_UNREAD: 'fails: The user lacks a right to read the workloads.',
  WORKLOAD_AMBIGUOUS: 'error: Workloads of several kinds have the name.',
  WORKLOAD_INVALID: 'usage: The argument is not the name of a workload.',
  WORKLOAD_NOT_FOUND: 'error: No workload has the name or the labels.',

  // why secure scraping skips a workload
  AMBIENT: 'skips: The workload is in ambient mode and has no proxy.',
  ANNOTATED: 'skips: Another client changed the annotation that the command set.',
  HOST_NETWORK: 'skips: The workload uses the network of its node.',
  EXCLUDED_PORTS_UNKNOWN:
    'skips: The pods leave ports out of the capture, and what asks for that cannot be read, so it could be lost.',
  ISTIO_CNI: 'skips: The workload is the network plugin of Istio.',
  ISTIO_TOO_OLD: 'skips: The Istio of the workload is too old for the method.',
  ISTIO_UNKNOWN: 'skips: The Istio version of the workload is not known.',
  NETWORK_POLICY_WIDE: "skips: The user's own NetworkPolicy lets others reach the secure port.",
  NOT_CAPTURED: 'skips: The sidecar does not capture the secure port.',
  NO_PODS: 'skips: The workload has no pods.',
  NO_SIDECAR: 'skips: The pods have no sidecar.',
  OBJECT_SINCE_ADDED: "skips: The user's own object for the same pods was created after that of kubectl telemetry.",
  ON_DELETE: 'skips: The pods are replaced only when they are deleted (OnDelete).',
  OPERATOR_OWNED: 'skips: An operator owns the workload and would revert the change.',
  OTHER_KIND: 'skips: The pods belong to no Deployment, StatefulSet or DaemonSet, so their template is not changed.',
  OTHER_METHOD: 'skips: The workload is scraped by another method.',
  PARTITIONED: 'skips: A partition keeps some pods from being replaced.',
  PAUSED: 'skips: The rollout of the workload is paused.',
  PODS_NOT_READY: 'skips: Not all pods are ready, so a failed change could not be recognized.',
  POD_PORT_TAKEN: 'skips: The pods use the secure port for something else.',
  ROOT_NAMESPACE: 'skips: Istio has no mutual TLS for a single port in its root namespace.',
  SELECTOR_SHARED: 'skips: Other pods have the same labels, so an object would select them, too.',
  SIDECAR_EXISTS: "skips: The user's own Sidecar object has listeners.",
  SIDECAR_SHARED: "skips: The user's own Sidecar object selects other pods, too.",
  WAYPOINT: 'skips: The workload is a waypoint of ambient mode.',
  WORKLOAD_GONE: 'skips: The workload was deleted while the command ran.',
  ZTUNNEL: 'skips: The workload is ztunnel, which has no secure port.',
} as const satisfies Record<string, `${string}: ${string}.`>

export type Code = keyof typeof CODES
