/** `@x402/fetch` with its defaults, spend controls included. */
import { ExactEvmScheme } from "@x402/evm/exact/client"
import { wrapFetchWithPayment, x402Client } from "@x402/fetch"
import type { Client } from "../client.ts"

export const x402Fetch: Client = {
  name: "@x402/fetch",
  open: (account) =>
    wrapFetchWithPayment(fetch, new x402Client().register("eip155:*", new ExactEvmScheme(account))),
}
