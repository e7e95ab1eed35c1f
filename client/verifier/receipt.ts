/** Checks receipts, offline: with a key set that was fetched once, from the issuer's `receipt_jwks_uri`. */
import { type CryptoKey, compactVerify, importJWK, type JSONWebKeySet } from "jose"
import { type Receipt, receiptSchema, receiptType } from "../../shared/oauth/receipt.ts"
import { parseJson } from "../../shared/values/json.ts"
import { Ticket402Error } from "../core/errors.ts"

/** The algorithms of receipts. The key decides which one applies, never the receipt. */
const algorithms = new Set(["ES256", "EdDSA"])

/**
 * The content of a receipt that `issuer` signed with a key of the set. Says nothing of the chain: `payment.transaction`
 * can be looked up there. Throws a {@link Ticket402Error} `receipt_invalid`.
 */
export async function verifyReceipt(receipt: string, jwks: JSONWebKeySet, issuer: string): Promise<Receipt> {
  const content = await open(receipt, jwks).catch(() => {
    throw invalid("The receipt is not signed with one of the keys.")
  })
  if (content.iss !== issuer) throw invalid("The receipt is another issuer's.")
  return content
}

async function open(receipt: string, { keys }: JSONWebKeySet): Promise<Receipt> {
  const { payload } = await compactVerify(receipt, async ({ alg, typ, kid }) => {
    const jwk = kid === undefined ? undefined : keys.find((key) => key.kid === kid)
    if (!jwk || typ !== receiptType) throw new TypeError("wanted the type of a receipt and a known key")
    if (jwk.alg !== alg || !algorithms.has(alg)) throw new TypeError("wanted the algorithm of the key")
    return (await importJWK(jwk, alg)) as CryptoKey
  })
  return receiptSchema.parse(parseJson(new TextDecoder("utf-8", { fatal: true }).decode(payload), 4))
}

const invalid = (sentence: string): Ticket402Error => new Ticket402Error("receipt_invalid", sentence)
