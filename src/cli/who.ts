/** Who changes something from this terminal, for the record of the service. Nobody checks it: it is for people to ask each other. */
import type { Io } from './io.ts'

export function whoIs(io: Io): string {
  const user = io.env['USER'] ?? io.env['LOGNAME'] ?? io.env['USERNAME'] ?? ''
  return `cli ${user === '' ? 'unknown' : user}`
}
