/** Removes the defences that limits.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/rate.ts", [
    [
      "requests per peer are limited",
      "if (spent.consumedPoints > requests)",
      "if (false)",
      "refuse a peer's excess",
    ],
  ]),
  ...at("server/grants/payment/signature.ts", [
    [
      "payments per payer are limited",
      "if (byKey) await deps.payers.take(payer)",
      "",
      "refuse a payer's excess",
    ],
    [
      "a payer's rate is used by its own signatures only",
      "await deps.payers.check(payer)",
      "await deps.payers.take(payer)",
      "DOS-10",
    ],
  ]),
  ...at("server/grants/token-endpoint.ts", [
    ["DPoP: the proofs of one key are limited", "await deps.proofs.take(thumbprint)", "", "DOS-09"],
  ]),
  ...at("server/adapters/express/peer.ts", [
    [
      "only trusted proxies name the peer",
      "proxyAddr(req, trusted)",
      "proxyAddr(req, () => true)",
      "N-9700-5, WL-04",
    ],
  ]),
]
