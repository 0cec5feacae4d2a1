/** Exposed Services: one start of the application, which takes longer than most of the tests. */
import { after, before, describe } from 'mocha'
import { endBookinfo, startBookinfo } from '../bookinfo.ts'
import { Workplace } from '../mesh.ts'
import { guards } from './services/guards.ts'
import { life } from './services/life.ts'
import { ownPorts } from './services/ports.ts'
import { quickStart } from './services/quick-start.ts'
import { rights } from './services/rights.ts'

describe('exposed services, on the real mesh', () => {
  const workplace = new Workplace()

  before(() => startBookinfo(workplace))
  after(() => {
    endBookinfo(workplace)
    workplace.end()
  })

  rights(workplace)
  quickStart(workplace)
  ownPorts(workplace)
  life(workplace)
  guards(workplace)
})
