/** Reads kubeconfig files as kubectl does, where client-node differs (reference: kubectl's clientcmd loading rules). */
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { parse as parseYaml } from 'yaml'
import { EXIT, UserError, usageError } from '../../errors.ts'

export interface KubeConfigChoice {
  /** `--kubeconfig`. */
  file?: string | undefined
  /** `--context`. */
  context?: string | undefined
  /** $KUBECONFIG, $HOME and the like. */
  environment: NodeJS.ProcessEnv
}

/**
 * @throws UserError KUBECONFIG_MISSING, KUBECONFIG_INVALID, CONTEXT_UNKNOWN; exit 2 when a flag named what is not there
 */
export function loadKubeConfig(choice: KubeConfigChoice): KubeConfig {
  const paths = configPaths(choice)
  const present = paths.filter((path) => existsSync(path))
  if (present.length === 0) return withoutFile(choice, paths)
  const config = merge(present)
  const wanted = choice.context ?? config.getCurrentContext()
  const known = config.getContexts().map(({ name }) => name)
  if (!known.includes(wanted)) throw unknownContext(choice, wanted, known, present)
  config.setCurrentContext(wanted)
  if (config.getCurrentCluster() === null) {
    throw new UserError(
      'KUBECONFIG_INVALID',
      `context "${wanted}" names a cluster that ${present.join(', ')} does not define`,
      {
        suggestions: ['kubectl config get-contexts'],
      },
    )
  }
  return config
}

function configPaths({ file, environment }: KubeConfigChoice): string[] {
  if (file !== undefined) return [file]
  const listed = (environment.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '')
  return listed.length > 0 ? listed : [join(environment.HOME ?? environment.USERPROFILE ?? '', '.kube', 'config')]
}

/** In a pod there is no file but a service account; kubectl falls back to it, and so do we. */
function withoutFile({ file, environment }: KubeConfigChoice, paths: string[]): KubeConfig {
  if (file === undefined && environment.KUBERNETES_SERVICE_HOST !== undefined) {
    const config = new KubeConfig()
    config.loadFromCluster()
    return config
  }
  throw new UserError('KUBECONFIG_MISSING', `there is no kubeconfig at ${paths.join(', ')}`, {
    exitCode: file === undefined ? EXIT.failed : EXIT.usage,
    suggestions: ['--kubeconfig FILE', 'export KUBECONFIG=FILE'],
  })
}

/** kubectl: of several files the first to name a cluster, user, context or current context wins. client-node throws or takes the last. */
function merge(paths: string[]): KubeConfig {
  const parts = paths.map(parse)
  const first = <T extends { name: string }>(lists: T[][]) => [
    ...new Map(
      lists
        .flat()
        .reverse()
        .map((item) => [item.name, item]),
    ).values(),
  ]
  const merged = new KubeConfig()
  merged.loadFromOptions({
    clusters: first(parts.map((part) => part.clusters ?? [])),
    users: first(parts.map((part) => part.users ?? [])),
    contexts: first(parts.map((part) => part.contexts ?? [])),
    currentContext: parts.map((part) => part.currentContext).find((name) => name) ?? '',
  })
  return merged
}

function parse(path: string): KubeConfig {
  const config = new KubeConfig()
  try {
    config.loadFromFile(path)
    readTokenFiles(config, path)
  } catch (error) {
    throw new UserError(
      'KUBECONFIG_INVALID',
      `${path} is not a kubeconfig: ${(error as Error).message.split('\n')[0]}`,
      {
        suggestions: ['kubectl config view   # says the same, or what is wrong'],
        cause: error,
      },
    )
  }
  return config
}

/** client-node knows `token-file`; kubeconfig files say `tokenFile`. Relative to the file that says so, as all its paths. */
function readTokenFiles(config: KubeConfig, path: string): void {
  const text = readFileSync(path, 'utf8')
  // Few have any, and parsing it all twice takes longer than asking the API server.
  if (!text.includes('tokenFile')) return
  const { users = [] } = parseYaml(text) as {
    users?: { name: string; user?: { token?: string; tokenFile?: string } }[]
  }
  for (const { name, user: { token, tokenFile } = {} } of users) {
    const known = config.users.find((one) => one.name === name)
    if (known === undefined || token !== undefined || tokenFile === undefined) continue
    Object.assign(known, { token: readFileSync(resolve(dirname(path), tokenFile), 'utf8').trim() })
  }
}

function unknownContext({ context }: KubeConfigChoice, wanted: string, known: string[], paths: string[]): UserError {
  const list = known.length === 0 ? 'it has none' : `known: ${known.join(', ')}`
  if (context !== undefined)
    return usageError('CONTEXT_UNKNOWN', `--context "${wanted}" is not in ${paths.join(', ')}; ${list}`)
  return new UserError(
    'CONTEXT_UNKNOWN',
    wanted
      ? `the current context "${wanted}" is not in ${paths.join(', ')}; ${list}`
      : `${paths.join(', ')} has no current context; ${list}`,
    { suggestions: ['kubectl config use-context NAME', '--context NAME'] },
  )
}
