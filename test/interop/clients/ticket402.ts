/** The client of this package. */
import { createClient } from "../../../client/index.ts"
import type { Client } from "../client.ts"

export const ticket402: Client = {
  name: "ticket402",
  buysTokens: true,
  open(account) {
    const client = createClient({
      account,
      budget: { perPurchase: "0.10", perDay: "1" },
      networks: ["eip155:84532"],
      payPerCall: true,
    })
    return client.fetch
  },
}
