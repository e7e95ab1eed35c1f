/** Removes the defences that top-up.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/delivery.ts", [
    [
      "a top-up uses the refresh token of its own seller",
      "find((grant) => keyOf(grant) === key)",
      "find((grant) => grant.id === id)",
      "CLI-12: a top-up sends",
    ],
    [
      "no refresh during a top-up",
      "if (grant === undefined) return work(holding)",
      "if (account) return work(holding)",
      "a refresh waits for a running",
    ],
  ]),
  ...at("client/purchase/top-up.ts", [
    [
      "a top-up goes to the grant's token endpoint",
      "if (sale && isOf(grant, sale)) return sale",
      "if (sale) return sale",
      "CLI-12: a top-up goes",
    ],
    [
      "a repeated top-up counts as the second attempt",
      "buy(await renewed(error, grant), 2)",
      "buy(await renewed(error, grant), 1)",
      "a top-up with a stale",
    ],
  ]),
  ...at("client/purchase/sale.ts", [
    [
      "a 402 of the token endpoint is returned to the caller",
      "return isTokenEndpoint(ours.info.tokenEndpoint, asked) ? undefined : ours",
      "return ours",
      "a 402 of the token endpoint",
    ],
  ]),
]
