/** Removes the defences that asset-changes.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/asset-state.ts", [
    ["a paused asset is closed", 'if (reading.paused) return "paused"', "", "closes while it"],
    [
      "an asset that blocks a relayer is closed",
      'if (blocked.length > 0) return "relayer_blocked"',
      "",
      "closes while it",
    ],
    [
      "an asset of another domain is closed",
      'if (reading.domainSeparator !== domainSeparator) return "domain_changed"',
      "",
      "closes while it",
    ],
    [
      "a replaced contract closes its asset",
      "before && before.code !== reading.code",
      "before === null",
      "closes for one reading",
    ],
  ]),
  ...at("server/chains/asset-question.ts", [
    [
      "a new implementation behind Circle's proxy is seen",
      '  "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",\n',
      "",
      "Circle's proxy",
    ],
    [
      "a new implementation behind a proxy of ERC-1967 is seen",
      '  "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",\n',
      "",
      "a proxy of ERC-1967",
    ],
  ]),
  ...at("server/feeds/asset-watch.ts", [
    [
      "nothing is sold for a closed asset",
      'if (fault) throw new Refusal("asset_unavailable", assetFaults[fault])',
      "",
      "closes while it",
    ],
    [
      "a closed asset opens without help",
      "fault ? closedSeconds : openSeconds",
      "fault ? 9e9 : openSeconds",
      "closes while it",
    ],
  ]),
  ...at("server/feeds/open-prices.ts", [
    ["a closed asset has no price", "!assets.isClosed(network, asset)", "true", "closes while it"],
  ]),
  ...at("server/feeds/sale-check.ts", [
    ["a service whose assets are closed is not ready", "      checkAssets()\n", "", "closes while it"],
  ]),
  ...at("server/grants/payment/chain.ts", [
    [
      "a refused transfer has the asset looked at",
      'if (refused === "simulation_failed") await',
      "if (false) await",
      "answers a buyer at once with retry",
    ],
  ]),
]
