/** `node test/fuzz/main.ts [VALUES [OPERATIONS [PATTERN]]]`: a deeper run than the one in `npm test`; one line for each fault. */
import { fuzz } from './fuzzing.ts'

const [values = '1000', operations = '2', only] = process.argv.slice(2)
const { cases, faults } = await fuzz({ values: Number(values), operations: Number(operations), only }, console.log)
console.log(`${cases} cases, ${faults.length} faults`)
