/** Runs a command to its exit code: what fails ends in one line, for a person or as JSON. */
import { type Exit, exits, failureOf } from "./failures.ts"
import { createMoney, type Money } from "./money.ts"
import { createTerminal, type Streams, type Terminal } from "./terminal.ts"

export type Command = (terminal: Terminal, money: Money) => Promise<Exit | undefined>

export async function conclude(
  streams: Streams,
  { json = false }: { readonly json?: boolean },
  command: Command,
): Promise<number> {
  const terminal = await createTerminal(streams)
  const money = createMoney()
  try {
    return exits[(await command(terminal, money)) ?? "answered"].code
  } catch (error) {
    const { exit, code, text } = failureOf(error, money)
    if (json) terminal.printJson({ error: { code, message: text }, paid: money.paid() })
    else terminal.say(`ticket402: ${text}`)
    return exits[exit].code
  } finally {
    terminal.close()
  }
}
