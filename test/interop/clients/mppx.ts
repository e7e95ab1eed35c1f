/** `mppx`: its EVM charge pays x402, too. */
import { Mppx } from "mppx/client"
import { evm } from "mppx/evm/client"
import type { Client } from "../client.ts"

export const mppx: Client = {
  name: "mppx",
  open(account) {
    const currencies = [evm.assets.baseSepolia.USDC]
    return Mppx.create({ methods: [evm.charge({ account, currencies })], polyfill: false }).fetch as never
  },
}
