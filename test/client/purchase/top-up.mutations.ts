/** Removes the defences that top-up.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/delivery.ts", [
    [
      "the refresh token of the seller who is paid",
      "find((grant) => keyOf(grant) === key)",
      "find((grant) => grant.id === id)",
      "CLI-12: a further payment shows its own",
    ],
    [
      "no refresh while a further payment is on its way",
      "if (grant === undefined) return work(holding)",
      "if (account) return work(holding)",
      "no refresh comes between",
    ],
  ]),
  ...at("client/purchase/top-up.ts", [
    [
      "the office that gave the grant",
      "if (sale && isOf(grant, sale)) return sale",
      "if (sale) return sale",
      "CLI-12: a further payment goes to",
    ],
    [
      "a second try of a further payment is not the first",
      "buy(await renewed(error, grant), 2)",
      "buy(await renewed(error, grant), 1)",
      "made once more, with the newest",
    ],
  ]),
  ...at("client/purchase/sale.ts", [
    [
      "whoever goes to the ticket office buys there himself",
      "return isTokenEndpoint(ours.info.tokenEndpoint, asked) ? undefined : ours",
      "return ours",
      "own 402 is the caller's",
    ],
  ]),
]
