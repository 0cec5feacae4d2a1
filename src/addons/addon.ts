/** What the catalogue says of an add-on: types only. */

/** Where a setting of an add-on is: in its arguments, else in an environment variable, else in its configuration file. */
export interface Setting {
  /** Without dashes; the first of them that is given. Of a URL, its path is the setting. */
  flags?: string[]
  env?: string
  file?: { format: 'ini' | 'yaml'; path: string[] }
}

/** How an add-on is started, and where its configuration file is. */
export interface ProgramRule {
  /** Names of its executables. Any other command may change all settings. */
  executables: string[]
  /** The file, unless an argument (`--config FILE`) or the variable names another one. */
  file: string
  fileVariable?: string
  /** Whether arguments set single settings (`cfg:auth.proxy.enabled=true`). */
  takesSettings?: true
}

/** Who an add-on lets in without a login, in words that follow "lets anyone in as". */
export type AccessRule =
  | { by: 'nature'; role: string }
  /** The first door that is open counts. `mostOpen`: with this role no other door gives more. */
  | { by: 'setting'; doors: Door[]; mostOpen: string }

/** A setting that may let people in without a login. */
export interface Door {
  setting: Setting
  /** Values that let anyone in. */
  open: string[]
  /** Values that let nobody in, with '' for none; all others are unknown. Left out: all but the open ones. */
  closed?: string[]
  /** The role of a visitor, else `as`. */
  role?: Setting
  as: string
}

/** How an add-on is told to speak HTTPS itself: each of the settings has a value that turns it on. */
export interface HttpsRule {
  settings: Setting[]
  /** Values that turn it on. Left out: every value but none and `false`. */
  on?: string[]
  /** The flag that names the file with the settings, if that is another file than the add-on's own. */
  fileFlag?: string
}

/** What a visitor could do, in words that follow "a visitor". */
export interface VisitorRule {
  /** By the role that the add-on gives to anyone. */
  roles: Record<string, string>
  /** With any other role. */
  otherwise: string
  facts: VisitorFact[]
}

/** A further fact that is true with this setting, argument or permission in the cluster. */
export type VisitorFact =
  /** `byDefault`: of an add-on with a login it is also true without the setting. */
  | { setting: Setting; values: string[]; byDefault?: true; says: string }
  | { argument: string; says: string }
  /** `without`: a setting that makes the permission unused. */
  | {
      right: { verb: string; group: string; resource: string }
      without: { setting: Setting; values: string[] }
      says: string
    }

/** Request headers in which an add-on believes who the user is, when a setting says so. */
export interface IdentityRule {
  byDefault: string
  /** Where other names are: `NAME`, or `ATTRIBUTE:NAME …`. */
  settings: Setting[]
}

/** Requests that the gateway lets through; it answers 403 to all others. Method and path are regular expressions (RE2) over the whole. */
export interface AllowedRequests {
  methods: string
  path: string
}

export interface Addon {
  /** The argument of commands, and the first label of its host. Alternative products share it. */
  name: string
  /** The name of the product. */
  title: string
  /** Its Service has one of these label sets, on itself or in its selector; the first set that is found anywhere wins. */
  labels: Record<string, string>[]
  /** Ports of the Service that serve its pages, by number (of the Service or behind it) or by name. */
  ports: { numbers: number[]; names: string[] }
  /** Its port at the ingress gateway in the layout of Istio 1.5 and older: one host, a port for each add-on. A Service had none there. */
  classicPort?: number
  /** The Service of Istio's samples/addons, in istio-system. */
  sample: { service: string; port: number; path: string }
  /** Left out where no setting is read. */
  program?: ProgramRule
  /** Products that run in its place and have other pages: the names of their images, without registry and tag. */
  others?: { title: string; images: string[] }[]
  /** Left out where no such setting is read. */
  https?: HttpsRule
  /** Where its page is. */
  path: { setting?: Setting; byDefault: string }
  access: AccessRule
  visitor: VisitorRule
  /** Left out where it believes no request header. */
  identity?: IdentityRule
  /** Left out: every request is let through. */
  allowed?: AllowedRequests[]
  /** Whether the paths of `allowed` are below the path of its page; otherwise they are whole. */
  allowedBelowPage?: true
}
