/** `npm run bench -- NAME`: what is compared with whom. Figures are ratios within one run; nothing fails because of them. */
import { up } from '../lab/lab.ts'
import { build } from '../plugin.ts'

const BENCHES: Record<string, () => Promise<unknown>> = {
  forward: () => import('./forward.ts'),
  soak: () => import('./soak.ts'),
}

const [name = ''] = process.argv.slice(2)
const bench = BENCHES[name]
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')}`)
  process.exit(2)
}
build()
await up()
await bench()
