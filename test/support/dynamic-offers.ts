/** Offers whose prices functions tell, for tests. */
import type { PriceFunction } from "../../server/core/pricing.ts"
import { sepoliaId } from "./offers.ts"

export const toldOffer = (id: string, scope: string, amount: PriceFunction) => ({
  id,
  scope,
  durationSeconds: 3600,
  prices: [{ network: sepoliaId, asset: "USDC", amount }],
})
