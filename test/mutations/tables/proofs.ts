/** Proofs of a wallet and of a key. */
import { at, type Mutation } from "../mutation.ts"

const dpop = "test/server/gate/proof-check.test.ts"

export const proofs: readonly Mutation[] = [
  ...at("server/grants/wallet-proof.ts", [
    [
      "wallet proof: a nonce is used once",
      'if (use === "used") throw new Refusal("wallet_proof_refused")',
      "",
      "test/flows/wallet-proof.test.ts",
      "RPL-25, WL-05",
    ],
    [
      "wallet proof: the account signed it",
      "if (signer !== account || !entry)",
      "if (!entry)",
      "test/flows/wallet-proof.test.ts",
      "WL-06",
    ],
  ]),
  ...at("server/core/dpop.ts", [
    [
      "DPoP: a proof is for one address",
      'if (readProofAddress(claims.htu) !== request.address) return "Its htu is another address."',
      "",
      dpop,
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one method",
      'if (claims.htm !== request.method) return "Its htm is another method."',
      "",
      dpop,
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one token",
      'if (token && claims.ath !== token.hash) return "Its ath is not that of the token."',
      "",
      dpop,
      "N-9449-3",
    ],
    [
      "DPoP: a proof is by the token's key",
      "if (token && thumbprint !== token.thumbprint)",
      "if (false)",
      dpop,
      "N-9449-3",
    ],
  ]),
  ...at("server/gate/proof-check.ts", [
    [
      "DPoP: a proof is used once",
      'if (use === "used") return unproven("It was used before.")',
      "",
      dpop,
      "N-9449-6",
    ],
    ["DPoP: a nonce is fresh", "return [0, 1].find(", "return [0, 1, 2].find(", dpop, "N-9449-5"],
  ]),
  ...at("server/gate/gate.ts", [
    [
      "DPoP: a bound token is no bearer token",
      'if (isBound !== (scheme === "dpop"))',
      "if (false)",
      dpop,
      "N-9449-4",
    ],
  ]),
  ...at("server/core/grant.ts", [
    [
      "DPoP: a refresh is by the grant's key",
      "if (isBound && request.keyThumbprint !== grant.keyThumbprint)",
      "if (false)",
      "test/server/core/grant.test.ts",
      "bound to a key",
    ],
  ]),
]
