/** Sends requests with a DPoP proof, and answers the service's demand for a nonce. */
import { dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { type ProofKey, type ProofTerms, proofOf } from "../support/proofs.ts"
import type { Answer } from "./http.ts"

/**
 * Sends a request with a proof, and again with the nonce if the service demands one; returns the last proof.
 */
export async function withNonce(
  key: ProofKey,
  terms: Omit<ProofTerms, "at">,
  ask: (proof: string) => Promise<Answer>,
): Promise<{ answer: Answer; proof: string; nonce: string | undefined }> {
  const prove = (nonce?: string) => proofOf(key, { ...terms, at: Math.floor(Date.now() / 1000), nonce })
  const proof = await prove()
  const answer = await ask(proof)
  const [nonce] = answer.fields(dpopNonceHeader)
  if (answer.body.error !== "use_dpop_nonce" || nonce === undefined)
    return { answer, proof, nonce: undefined }
  const again = await prove(nonce)
  return { answer: await ask(again), proof: again, nonce }
}
