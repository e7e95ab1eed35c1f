/** Whether the relayer can pay for settlements on a network: no token is sold while it cannot. */
import { Refusal } from "../shared/errors.ts"
import type { Chain, Now, Relayer } from "./ports.ts"

export type Funding = {
  /** Throws the refusal `relayer_unfunded`, or ChainUnavailable when it cannot be known. */
  check(): Promise<void>
}

/** A good balance is believed for this long; a bad one is looked at again every second, so that funding takes effect. */
const goodForSeconds = 30
/** What one settlement may cost at most, in gas. */
const gasPerSettlement = 150_000n

export function createFunding(deps: { chain: Chain; relayer: Relayer; now: Now }): Funding {
  const { chain, relayer, now } = deps
  let funded = false
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  async function read(): Promise<void> {
    const [balance, fees] = await Promise.all([chain.gasBalance(relayer.address), chain.fees()])
    funded = balance >= gasPerSettlement * fees.maxFeePerGas
    readAt = now()
  }

  return {
    async check() {
      if (now() - readAt >= (funded ? goodForSeconds : 1)) {
        reading ??= read().finally(() => {
          reading = undefined
        })
        await reading
      }
      if (!funded) throw new Refusal("relayer_unfunded")
    },
  }
}
