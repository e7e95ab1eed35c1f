/** Reports the writes of this process, so that readers of the ledger need not wait for their next look. */
import type { Store } from "../ports/store.ts"
import { isReading, type Verb } from "./verbs/verbs.ts"

type AnyVerb = (input: unknown) => Promise<unknown>

/** The same store; `onWrite` is called after each verb that may have written something. */
export function observed(store: Store, onWrite: () => void): Store {
  const observe =
    (verb: AnyVerb): AnyVerb =>
    async (input) => {
      const result = await verb(input)
      onWrite()
      return result
    }
  const { close, ...verbs } = store
  const entries = Object.entries(verbs as Record<Verb, AnyVerb>)
  const all = entries.map(([name, verb]) => [name, isReading(name as Verb) ? verb : observe(verb)])
  return { ...Object.fromEntries(all), close }
}
