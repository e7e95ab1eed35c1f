/** `mppx`: its EVM charge, which is offered as a `Payment` challenge and as x402 v2 at once. */

import { evm } from "mppx/evm/server"
import { Mppx } from "mppx/express"
import { openSeller } from "../seller.ts"
import type { Server } from "../server.ts"

export const mppxEvm: Server = {
  name: "mppx (EVM charge)",
  open: (chain) =>
    openSeller(chain, ({ payTo: recipient, facilitator }) =>
      Mppx.create({
        methods: [
          evm.charge({
            currency: evm.assets.baseSepolia.USDC,
            recipient,
            x402: { facilitator: facilitator as never },
          }),
        ],
        secretKey: crypto.randomUUID(),
      }).charge({ amount: "0.01" }),
    ),
}
