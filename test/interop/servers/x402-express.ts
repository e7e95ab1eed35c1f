/** `@x402/express`: one payment for each call, verified before the page and settled after it. */
import { ExactEvmScheme } from "@x402/evm/exact/server"
import { paymentMiddlewareFromConfig } from "@x402/express"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { openSeller, page } from "../seller.ts"
import type { Server } from "../server.ts"

const { id: network } = baseSepolia

export const x402Express: Server = {
  name: "@x402/express",
  open: (chain) =>
    openSeller(chain, ({ payTo, facilitator }) =>
      paymentMiddlewareFromConfig(
        { [`GET ${page}`]: { accepts: { scheme: "exact", network, payTo, price: "$0.01" } } },
        facilitator as never,
        [{ network, server: new ExactEvmScheme() }],
      ),
    ),
}
