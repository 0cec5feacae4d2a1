/** The home directory of an account that has none, in Debian's password file and here. */
export const NO_HOME = '/nonexistent'
