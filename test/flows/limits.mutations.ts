/** Removes the defences that limits.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/proof-claim.ts", [
    [
      "DPoP: the proofs of an unbound grant are limited by the grant",
      "if (bound === null) await claimProof({ grantId })",
      "if (bound === null) await claimProof()",
      "DOS-09: refuse the excess proofs of an unbound grant",
    ],
  ]),
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
  ...at("server/adapters/peer.ts", [
    [
      "only trusted proxies name the peer",
      "proxyAddr(shown as unknown as IncomingMessage, trusted)",
      "proxyAddr(shown as unknown as Request, () => true)",
      "N-9700-5, WL-04",
    ],
    [
      "a port makes no peer",
      "bracketed ?? dotted ?? text",
      "bracketed ?? text",
      "WL-04: count an address once",
    ],
    [
      "an entry without an address hides the ones before it",
      "addresses.lastIndexOf(undefined) + 1",
      "0",
      "WL-04: count an address once",
    ],
  ]),
]
