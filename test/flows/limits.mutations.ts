/** Removes the defences that limits.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/rate.ts", [
    ["rate of a peer", "if (spent.consumedPoints > requests)", "if (false)", "a peer that asks too often"],
  ]),
  ...at("server/grants/payment/signature.ts", [
    ["rate of a payer", "if (byKey) await deps.payers.take(payer)", "", "a payer who signs too often"],
    [
      "a payer's budget is his own",
      "await deps.payers.check(payer)",
      "await deps.payers.take(payer)",
      "DOS-10",
    ],
  ]),
  ...at("server/adapters/express/peer.ts", [
    ["trusted proxies only", "proxyAddr(req, trusted)", "proxyAddr(req, () => true)", "N-9700-5, WL-04"],
  ]),
]
