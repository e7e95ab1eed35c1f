/** Removes the defences that dpop.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/proof-claim.ts", [
    [
      "DPoP: a copied refresh token uses up no proofs of other keys",
      "else if (bound === keyThumbprint) await claimProof()",
      "else await claimProof()",
      "DOS-09: stores none",
    ],
  ]),
  ...at("server/grants/refresh-token.ts", [
    [
      "DPoP: a refresh uses its proof up",
      "  await claimProofFor(read.grantId, request, deps)\n",
      "",
      "RPL-25",
    ],
  ]),
  ...at("server/grants/token-exchange.ts", [
    [
      "DPoP: a token exchange uses its proof up",
      "  await claimProofFor(shown.grantId, request, deps)\n",
      "",
      "RPL-25",
    ],
  ]),
  ...at("server/grants/admission.ts", [
    ["DPoP: an admission uses its proof up", "  await request.claimProof()\n", "", "RPL-25"],
  ]),
  ...at("server/grants/payment/redeem.ts", [
    [
      "DPoP: a purchase uses its proof up",
      "  await (target ? claimProofFor(target.grantId, request, deps) : request.claimProof())\n",
      "",
      "RPL-25",
    ],
  ]),
  ...at("server/grants/payment/answer.ts", [
    [
      "DPoP: a repeated purchase uses its proof up",
      "    await request.claimProof(keyThumbprint === null ? { grantId: id } : undefined)\n",
      "",
      "RPL-25",
    ],
  ]),
]
