/** Removes the defences that top-up.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/wallet/wallet.ts", [
    [
      "a top-up uses the refresh token of its own seller",
      "find((grant) => keyOf(grant) === key)",
      "find((grant) => grant.id === id)",
      "CLI-12: a top-up sends",
    ],
  ]),
  ...at("client/purchase/delivery.ts", [
    [
      "no refresh during a top-up",
      "if (grant === undefined) return work(lock)",
      "if (account) return work(lock)",
      "a refresh waits for a running",
    ],
  ]),
  ...at("client/purchase/top-up.ts", [
    [
      "a top-up goes to the grant's token endpoint",
      "if (offers && isSoldBy(grant, offers)) return offers",
      "if (offers) return offers",
      "CLI-12: a top-up goes",
    ],
    [
      "a repeated top-up counts as the second attempt",
      "buy(await renew(error, grant), 2)",
      "buy(await renew(error, grant), 1)",
      "a top-up with a stale",
    ],
  ]),
  ...at("client/purchase/offers.ts", [
    [
      "a 402 of the token endpoint is returned to the caller",
      "return isTokenEndpoint(ours.info.tokenEndpoint, asked) ? undefined : ours",
      "return ours",
      "a 402 of the token endpoint",
    ],
  ]),
]
