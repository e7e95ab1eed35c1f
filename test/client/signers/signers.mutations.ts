/** Removes the defences that signers.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/signers/remote-signer.ts", [
    ["the signer's credentials follow no redirect", 'redirect: "manual"', 'redirect: "follow"', "CLI-04"],
  ]),
  ...at("client/signers/provider-signer.ts", [
    [
      "signatures in the one spelling that the chain takes",
      "v === undefined ? hex :",
      "v !== undefined ? hex :",
      "spellings of wallets",
    ],
    [
      "a wallet is on the payment's chain when it signs",
      'if ("chainId" in typedData.domain) await switchTo(typedData.domain.chainId, ask)',
      "",
      "another chain is asked to switch",
    ],
  ]),
]
