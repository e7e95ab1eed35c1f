/** `tokens list|show|remove` and `budget`: prints grants and spending, never a token or a secret. */
import { CommandError } from "./failures.ts"
import { openSession, type SessionOptions } from "./session.ts"
import type { Terminal } from "./terminal.ts"

type Task = (options: SessionOptions, terminal: Terminal, id: string) => Promise<void>

export const list: Task = async (options, terminal) => {
  for (const grant of await held(options, terminal)) terminal.printJson(grant)
}

export const show: Task = async (options, terminal, id) => {
  const grants = (await held(options, terminal)).filter((grant) => grant.id === id)
  if (grants.length === 0) throw unknown
  for (const grant of grants) terminal.printJson(grant)
}

export const remove: Task = async (options, terminal, id) => {
  const session = await openSession(options, terminal)
  try {
    if (!(await session.client.forget(id))) throw unknown
  } finally {
    session.close()
  }
  terminal.say("The token is forgotten here; nothing is paid back, and the next call buys another.")
  terminal.printJson({ removed: id })
}

export async function budget(options: SessionOptions, terminal: Terminal): Promise<void> {
  const { client, settings, address, close } = await openSession(options, terminal)
  try {
    const { networks, allow } = settings
    terminal.printJson({
      account: address,
      spent: await client.spent(),
      budget: settings.budget,
      networks,
      allow,
    })
  } finally {
    close()
  }
}

async function held(options: SessionOptions, terminal: Terminal) {
  const { client, close } = await openSession(options, terminal)
  try {
    return await client.grants()
  } finally {
    close()
  }
}

const unknown = new CommandError("There is no token of this id: tokens list shows them.")
