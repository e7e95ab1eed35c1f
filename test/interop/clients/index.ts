/** The clients of the matrix; a new client is a file and a line here. */
import type { Client } from "../client.ts"
import { mppx } from "./mppx.ts"
import { x402FetchWithHook } from "./ticket-hook.ts"
import { ticket402 } from "./ticket402.ts"
import { x402Axios } from "./x402-axios.ts"
import { x402Fetch } from "./x402-fetch.ts"
import { x402FetchV1 } from "./x402-fetch-v1.ts"

export const clients: readonly Client[] = [
  ticket402,
  x402FetchWithHook,
  x402Fetch,
  x402Axios,
  x402FetchV1,
  mppx,
]
