/** Removes the defences that signers.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/signers/remote-signer.ts", [
    ["the signer's credentials follow no redirect", 'redirect: "manual"', 'redirect: "follow"', "CLI-04"],
  ]),
  ...at("client/signers/provider-signer.ts", [
    [
      "signatures are normalised for the chain",
      "v === undefined ? hex :",
      "v !== undefined ? hex :",
      "non-canonical wallet signatures",
    ],
    [
      "a wallet switches to the payment's chain before it signs",
      'if ("chainId" in typedData.domain) await switchTo(typedData.domain.chainId, ask)',
      "",
      "a wallet on another chain",
    ],
  ]),
]
