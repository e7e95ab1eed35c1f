/** Removes the defences that replay.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/signature.ts", [
    ["the signature is checked", 'if (verdict === "valid") return true', "return true", "RPL-09, RPL-10"],
  ]),
  ...at("server/grants/payment/recall.ts", [
    ["a replay must have equal content", "if (!same || !isOf(", "if (!isOf(", "N-3009-2"],
  ]),
  ...at("server/grants/payment/locate.ts", [
    [
      "ownership is proven by the secret only",
      "      opening: opened,",
      "      opening: opened ?? request.commitment ?? null,",
      "RPL-01",
    ],
  ]),
  ...at("server/grants/payment/commitment.ts", [
    [
      "the commitment opens the nonce",
      'if (nonce !== payment.transfer.nonce) throw new Refusal("commitment_mismatch")',
      "",
      "a commitment that does not open the nonce",
    ],
  ]),
  ...at("shared/refusals.ts", [
    [
      "no 402 for an accepted payment",
      "authorization_conflict: {\n    status: 409,",
      "authorization_conflict: {\n    status: 402,",
      "RPL-01",
    ],
  ]),
]
