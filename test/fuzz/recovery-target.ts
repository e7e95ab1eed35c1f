/** The fuzz target for signatures: two implementations of recovery must agree. */
import { createRecovery } from "../../server/chains/recovery.ts"
import { recoverSigner } from "../../shared/values/evm.ts"
import { type SignatureCase, signatureCases } from "../support/signature-cases.ts"
import type { Target } from "./run.ts"

export async function recoveryTarget(): Promise<Target<() => Promise<SignatureCase>>> {
  const recover = await createRecovery()
  return {
    name: "signature recovery",
    inputs: signatureCases,
    async run(make) {
      const { digest, signature } = await make()
      const [found, expected] = [await recover(digest, signature), await recoverSigner(digest, signature)]
      if (found !== expected)
        throw new Error(`recovered ${found} and not ${expected} from ${signature} over ${digest}`)
      return found === undefined ? "no signer" : "signer"
    },
  }
}
