/** Removes the defences that receipt.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/verifier/receipt.ts", [
    ["type of a receipt", " || typ !== receiptType", "", "N-8725-6"],
    [
      "issuer of a receipt",
      "if (content.iss !== issuer) throw",
      "if (false) throw",
      "is refused when it was changed",
    ],
    [
      "algorithm of a receipt's key",
      "if (jwk.alg !== alg || !algorithms.has(alg)) throw",
      "if (false) throw",
      "is refused when it was changed",
    ],
  ]),
]
