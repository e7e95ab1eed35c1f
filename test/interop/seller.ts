/**
 * A server of another project for the matrix: one page behind its middleware, settled by its own facilitator.
 */
import express, { type RequestHandler } from "express"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import type { LocalChain } from "../support/chain/local-chain.ts"
import { type Facilitator, openFacilitator } from "./facilitator.ts"
import { countContent, listen } from "./listen.ts"
import type { RunningServer } from "./server.ts"

export const page = "/weather"

export type SellerParts = {
  readonly origin: string
  readonly payTo: `0x${string}`
  readonly facilitator: Facilitator
  /** The facilitator's address for middleware that calls it over HTTP. */
  readonly facilitatorUrl: `${string}://${string}`
}

export async function openSeller(
  chain: LocalChain,
  middleware: (parts: SellerParts) => RequestHandler,
): Promise<RunningServer> {
  const facilitator = await openFacilitator(chain)
  const app = express()
  const { origin, close } = await listen(app)
  for (const step of ["verify", "settle"] as const)
    app.post(`/facilitator/${step}`, express.json(), async (request, response) => {
      const { paymentPayload, paymentRequirements } = request.body
      response.json(await facilitator[step](paymentPayload, paymentRequirements))
    })
  const payTo = privateKeyToAddress(generatePrivateKey())
  app.use(middleware({ origin, payTo, facilitator, facilitatorUrl: `${origin}/facilitator` }))
  app.get(page, (_request, response) => void response.json({ weather: "fine" }))

  return {
    origin,
    visit: (call, times) => countContent(call, `${origin}${page}`, times),
    taken: facilitator.settled,
    close,
  }
}
