/** Runs all fuzz targets against a service on a local chain. */
import { createHash } from "node:crypto"
import { configInput, pricedByFunction } from "../support/offers.ts"
import { offer, openService } from "../support/service.ts"
import { gateTarget } from "./gate-target.ts"
import { challengeTarget, codecTarget, configTarget, jsonTarget } from "./reader-targets.ts"
import { recoveryTarget } from "./recovery-target.ts"
import { fuzz, type Tally, type Target } from "./run.ts"
import { createSeedInputs } from "./seed-inputs.ts"
import { fuzzClient, httpTarget, tokenTarget } from "./token-endpoint-targets.ts"

export type FuzzOptions = {
  /** Number of inputs for all targets together. */
  readonly inputs: number
  readonly seed: number
  readonly onTally?: (tally: Tally) => void
}

/** Runs every target; a broken promise in one target does not stop the others. */
export async function fuzzAll({ inputs, seed, onTally }: FuzzOptions): Promise<readonly Tally[]> {
  const client = {
    clientId: fuzzClient.client_id,
    secretSha256: createHash("sha256").update(fuzzClient.client_secret).digest("hex"),
    scope: "movies:read",
  }
  // Tokens live longer than the run, and no limit but those under test refuses an input.
  const service = await openService({
    config: {
      offers: [
        offer("hour", "movies:read", "0.01"),
        offer("studio", "movies:write", "0.05"),
        pricedByFunction("rush", "movies:read"),
      ],
      quoteSeconds: 86_400,
      pendingLifeSeconds: 3600,
      whitelist: [client],
    },
    issuer: { prices: { rush: () => "0.02" } },
  })
  // Without this setting Express prints every request that it refuses.
  service.app.set("env", "test")
  try {
    const seeds = await createSeedInputs(service)
    const payments = seeds.purchases.map((purchase) => purchase.payload)
    const attack =
      <T>(target: Target<T>) =>
      (count: number): Promise<Tally> =>
        fuzz(target, count, seed)
    const plan = [
      { share: 0.34, run: attack(tokenTarget(service, seeds)) },
      { share: 0.24, run: attack(gateTarget(service, seeds.tokens)) },
      { share: 0.1, run: attack(codecTarget(payments)) },
      { share: 0.1, run: attack(jsonTarget(payments)) },
      { share: 0.09, run: attack(configTarget([configInput(), service.config])) },
      { share: 0.08, run: attack(challengeTarget(seeds.challenges)) },
      { share: 0.03, run: attack(httpTarget(service, seeds)) },
      { share: 0.02, run: attack(await recoveryTarget()) },
    ]
    const tallies: Tally[] = []
    for (const { share, run } of plan) {
      const tally = await run(Math.ceil(inputs * share))
      tallies.push(tally)
      onTally?.(tally)
    }
    return tallies
  } finally {
    await service.close()
  }
}
