/** Opens the session of a command: the account, locked until it signs, and a client on the shared store. */
import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import { type Client, createClient } from "../app/client.ts"
import type { ClientEvent } from "../core/events.ts"
import { createFileStore } from "../node/file-store.ts"
import type { Approve } from "../purchase/approval.ts"
import { readAccount } from "./account.ts"
import { type HomeOptions, homeOf } from "./home.ts"
import { openKey } from "./keystore.ts"
import { type PasswordOptions, passwordOf } from "./password.ts"
import { proxiedFetch } from "./proxy.ts"
import { type CommandSettings, readSettings } from "./settings.ts"
import type { Terminal } from "./terminal.ts"

export type SessionOptions = HomeOptions & PasswordOptions

export type Conduct = {
  readonly onEvent?: (event: ClientEvent) => void
  /** Asks about a purchase that is dearer than the settings let pass. Nobody is asked without it, and the answer is no. */
  readonly approve?: Approve
  /** The settings for this command only. */
  readonly adjust?: (settings: CommandSettings) => CommandSettings
}

export type Session = {
  readonly client: Client
  readonly settings: CommandSettings
  readonly address: string
  /** Asks for the password now, instead of at the first signature. */
  unlock(): Promise<void>
  /** Why the account did not sign; the client's error says only that it did not. */
  signingTrouble(): unknown
  close(): void
}

/** Throws a CommandError, or a Ticket402Error for settings or a store that cannot be used. */
export async function openSession(
  options: SessionOptions,
  terminal: Terminal,
  conduct: Conduct = {},
): Promise<Session> {
  const home = homeOf(options, terminal)
  const read = await readSettings(home.settings)
  const settings = conduct.adjust?.(read) ?? read
  const { address, file } = await readAccount(home.account)

  let opened: ReturnType<typeof openKey> | undefined
  let trouble: unknown
  const unlock = (): ReturnType<typeof openKey> => {
    opened ??= passwordOf(options, terminal).then((password) => openKey(file, password))
    return opened
  }
  const account: TypedDataSigner = {
    address,
    async signTypedData(data) {
      try {
        const unlocked: TypedDataSigner = await unlock()
        return await unlocked.signTypedData(data)
      } catch (error) {
        trouble = error
        throw error
      }
    },
  }

  const fetch = await proxiedFetch(terminal.env)
  const store = await createFileStore({ file: home.store })
  const { approve = async () => false, onEvent } = conduct
  try {
    const optional = { ...(onEvent && { onEvent }), ...(fetch && { fetch }) }
    const client = createClient({ ...settings, account, store, approve, ...optional })
    return {
      client,
      settings,
      address,
      async unlock() {
        await unlock()
      },
      signingTrouble: () => trouble,
      close: store.close,
    }
  } catch (error) {
    store.close()
    throw error
  }
}
