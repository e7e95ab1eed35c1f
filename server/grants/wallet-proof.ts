/** Gives a whitelisted address a token for a signed statement over a nonce of the service. */

import { walletProofGrantType } from "../../shared/oauth/messages.ts"
import { walletProofDigest } from "../../shared/oauth/wallet-proof.ts"
import { Refusal } from "../../shared/refusals.ts"
import {
  type Address,
  accountId,
  type Hex,
  isCanonicalSignature,
  parseAddress,
} from "../../shared/values/evm.ts"
import { sha256Hex } from "../access/credentials.ts"
import type { WhitelistEntry } from "../core/whitelist.ts"
import { Overloaded } from "../ports/runtime.ts"
import { admit, scopeFor } from "./admission.ts"
import { audienceOf } from "./audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"
import { endOf } from "./wallet-nonce.ts"

export const grantType = walletProofGrantType
export const parameters = ["account", "nonce", "signature", "scope"] as const

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const { account, nonce, signature } = read(request)
  const now = deps.now()
  const until = endOf(nonce, deps.keys, now)
  // Checked before the signature, which is costly to verify: a request without a nonce of ours must not cause that
  // work.
  if (until === undefined || !isCanonicalSignature(signature)) throw new Refusal("wallet_proof_refused")
  const entry = await authenticate({ account, nonce, signature }, audienceOf(request, options), deps, options)
  const scope = scopeFor(entry, request)
  const use = await deps.store.useOnce({ key: sha256Hex(`wallet ${nonce}`), until, now })
  if (use === "full") throw new Overloaded("wallet proofs")
  if (use === "used") throw new Refusal("wallet_proof_refused")
  // An account is the same on every network, and this one signed for none; it is named by the first.
  const caller = { entry, subject: accountId(options.network, account), scope }
  const answer = await admit(caller, request, deps, options)
  if (!answer) throw new Refusal("wallet_proof_refused")
  return answer
}

function read({ parameters }: TokenRequest): { account: Address; nonce: string; signature: Hex } {
  const [account, nonce, signature] = ["account", "nonce", "signature"].map((name) => parameters.get(name))
  const address = typeof account === "string" ? parseAddress(account) : undefined
  if (!address || typeof nonce !== "string" || typeof signature !== "string")
    throw new Refusal("malformed", "Wanted account (an address), nonce and signature.")
  return { account: address, nonce, signature: signature as Hex }
}

/**
 * Refuses an unlisted account after the same work and with the same words as a wrong signature, so that nobody can
 * probe the list (WL-13).
 */
async function authenticate(
  { account, nonce, signature }: ReturnType<typeof read>,
  audience: string,
  deps: TokenDeps,
  { issuer }: TokenOptions,
): Promise<WhitelistEntry> {
  const digest = walletProofDigest({ account, issuer, audience, nonce })
  const signer = await deps.recover(digest, signature)
  const entry = deps.whitelist.find(account, deps.now())
  if (signer !== account || !entry) throw new Refusal("wallet_proof_refused")
  return entry
}
