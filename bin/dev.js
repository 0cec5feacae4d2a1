#!/usr/bin/env node
import { main } from '../src/main.ts'

await main(new URL('..', import.meta.url), './src/commands')
