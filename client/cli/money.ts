/** Collects the payments of one command from the client's events. */
import type { ClientEvent } from "../core/events.ts"

type Purchase = Pick<
  Extract<ClientEvent, { type: "purchase_started" }>,
  "origin" | "offer" | "scope" | "amount" | "asset" | "network"
>

export type Paid = Purchase & {
  /** Taken: the service has given a token for it, or the answer that it was for. */
  readonly isTaken: boolean
}

export type Money = {
  readonly onEvent: (event: ClientEvent) => void
  /** Everything that was signed. */
  paid(): readonly Paid[]
  /** The last signature has brought nothing yet. */
  isOpen(): boolean
  /** For the line in which a command says how it failed. */
  sentence(isKept: boolean): string
}

export function createMoney(): Money {
  const all: Paid[] = []
  let hasToken = false

  return {
    onEvent(event) {
      if (event.type === "purchase_started") {
        const { type: _, ...purchase } = event
        all.push({ ...purchase, isTaken: false })
      }
      const last = all.at(-1)
      if (!last) return
      if (event.type === "purchased") {
        hasToken = true
        // A whitelisted account signed a payment that the service did not take.
        all.splice(-1, 1, ...(event.settlement === "none" ? [] : [{ ...last, isTaken: true }]))
      }
      if (event.type === "called" && (event.status < 400 || event.transaction !== undefined))
        all.splice(-1, 1, { ...last, isTaken: true })
    },
    paid: () => all,
    isOpen: () => all.at(-1)?.isTaken === false,
    sentence(isKept) {
      const last = all.at(-1)
      const sum = last && `${last.amount} ${last.asset}`
      if (last?.isTaken) return `${sum} was paid${hasToken ? "; the token is kept for the next call" : ""}.`
      if (isKept)
        return `The signed payment${sum ? ` of ${sum}` : ""} is kept: the next call sends the same one, and no other.`
      if (last)
        return `${sum} was signed and not taken; it counts against the budget until it can no more be settled.`
      return "Nothing was paid."
    },
  }
}
