/** Who changes something from this terminal, for the record of the service. Nobody checks it: it is for people to ask each other. */
import type { Command } from 'commander'
import type { Io } from './io.ts'

/** Of every verb that changes something in a running service. */
export type Signed = { readonly by?: string }

export function withSigned(command: Command): Command {
  return command.option('--by <name>', 'who does this, for the record; otherwise who is logged in')
}

export function whoIs(io: Io, { by = '' }: Signed): string {
  const user = [by, io.env['USER'], io.env['LOGNAME'], io.env['USERNAME'], io.user()].find((name) => (name ?? '') !== '')
  return `cli ${user ?? 'unknown'}`
}
