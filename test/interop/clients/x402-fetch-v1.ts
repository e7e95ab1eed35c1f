/** `x402-fetch`, the client of x402 v1, with its defaults. */
import { wrapFetchWithPayment } from "x402-fetch"
import type { Client } from "../client.ts"

export const x402FetchV1: Client = {
  name: "x402-fetch (v1)",
  open: (account) => wrapFetchWithPayment(fetch, account as never),
}
