/** Removes the defences that proof-check.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/dpop.ts", [
    [
      "DPoP: a proof is for one address",
      'if (readProofAddress(claims.htu) !== request.address) return "Its htu is another address."',
      "",
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one method",
      'if (claims.htm !== request.method) return "Its htm is another method."',
      "",
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one token",
      'if (token && claims.ath !== token.hash) return "Its ath is not that of the token."',
      "",
      "N-9449-3",
    ],
    [
      "DPoP: a proof is by the token's key",
      "if (token && thumbprint !== token.thumbprint)",
      "if (false)",
      "N-9449-3",
    ],
  ]),
  ...at("server/gate/proof-check.ts", [
    ["DPoP: a proof is used once", 'return use === "taken"', "return true", "RPL-25"],
    ["DPoP: a nonce is fresh", "return [0, 1].find(", "return [0, 1, 2].find(", "N-9449-5"],
  ]),
  ...at("server/gate/gate.ts", [
    [
      "DPoP: the gate claims a proof before the call",
      "if (proven && !(await proven.claim()))",
      "if (false)",
      "RPL-25",
    ],
    [
      "DPoP: a token that calls too often uses up no proofs",
      "if (isTooMuch(known, at, options.requestsPerToken)) return",
      "if (await proven?.claim().then(() => isTooMuch(known, at, options.requestsPerToken))) return",
      "DOS-09",
    ],
  ]),
  ...at("shared/oauth/token-check.ts", [
    [
      "DPoP: a bound token is no bearer token",
      'if (isBound && takesProofs && scheme !== "dpop")',
      "if (false)",
      "N-9449-4",
    ],
  ]),
]
