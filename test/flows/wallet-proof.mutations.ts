/** Removes the defences that wallet-proof.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/wallet-proof.ts", [
    [
      "wallet proof: a nonce is used once",
      'if (use === "used") throw new Refusal("wallet_proof_refused")',
      "",
      "RPL-25, WL-05",
    ],
    ["wallet proof: the account signed it", "if (signer !== account || !entry)", "if (!entry)", "WL-06"],
  ]),
]
