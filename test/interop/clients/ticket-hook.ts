/** `@x402/fetch` with the hook of this package. */
import { ExactEvmScheme } from "@x402/evm/exact/client"
import { wrapFetchWithPayment, x402Client, x402HTTPClient } from "@x402/fetch"
import { tokenHook } from "../../../client/adapters/x402.ts"
import type { Client } from "../client.ts"

export const x402FetchWithHook: Client = {
  name: "@x402/fetch + hook",
  buysTokens: true,
  open(account) {
    const client = new x402Client().register("eip155:*", new ExactEvmScheme(account))
    const hook = tokenHook(wrapFetchWithPayment(fetch, client))
    return wrapFetchWithPayment(fetch, new x402HTTPClient(client).onPaymentRequired(hook))
  },
}
