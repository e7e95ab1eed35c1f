/** `x402-express`: x402 v1, with the price in the body and the payment in `X-PAYMENT`. */
import { paymentMiddleware } from "x402-express"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { openSeller, page } from "../seller.ts"
import type { Server } from "../server.ts"

export const x402ExpressV1: Server = {
  name: "x402-express (v1)",
  open: (chain) =>
    openSeller(
      chain,
      ({ payTo, facilitatorUrl }) =>
        paymentMiddleware(
          payTo,
          { [`GET ${page}`]: { price: "$0.01", network: baseSepolia.v1Name } },
          { url: facilitatorUrl },
        ) as never,
    ),
}
