/** Removes the defences that receipt.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/verifier/receipt.ts", [
    ["the type of a receipt is checked", " || typ !== receiptType", "", "N-8725-6"],
    [
      "the issuer of a receipt is checked",
      "if (content.iss !== issuer) throw",
      "if (false) throw",
      "is refused when altered",
    ],
    [
      "the algorithm of a receipt's key is checked",
      "if (jwk.alg !== alg || !algorithms.has(alg)) throw",
      "if (false) throw",
      "is refused when altered",
    ],
  ]),
]
