/** Makes the rows of a payment found on the chain and in no book: paid, with an ended grant. */

import type { AssetInfo, NetworkInfo } from "../../shared/networks/network.ts"
import type { Scheme, SeenPayment } from "../../shared/schemes/scheme.ts"
import { type Address, accountId } from "../../shared/values/evm.ts"
import type { Grant } from "./grant.ts"
import { nominalValue } from "./payment.ts"
import type { Evidence, Redemption } from "./redemption.ts"

export type Found = {
  readonly network: NetworkInfo
  readonly scheme: Scheme
  readonly asset: AssetInfo
  readonly payment: SeenPayment
  readonly evidence: Evidence
  readonly grantId: string
  readonly now: number
}

/**
 * The offer and its duration were lost with the books, so the grant has ended. A repetition of the payment gets an
 * answer and is not sold a second time. The signature and its window are unknown too: if a reorg removes the payment,
 * it expires and is never sent.
 */
export function importedPayment(found: Found): { readonly grant: Grant; readonly redemption: Redemption } {
  const { network, scheme, payment, evidence, grantId, now } = found
  const asset = found.asset.address.toLowerCase() as Address
  const { payer, payTo, value, nonce } = payment
  return {
    grant: {
      id: grantId,
      offer: null,
      scope: "",
      subject: accountId(network.id, payer),
      paid: true,
      startsAt: now,
      expiresAt: now,
      opening: null,
      idempotencyHash: null,
      meter: null,
      keyThumbprint: null,
      parent: null,
      resource: null,
      generation: 0,
      rotation: null,
      token: { jti: grantId, issuedAt: now, expiresAt: now, settled: true },
      ended: { reason: "lost", at: now },
    },
    redemption: {
      key: scheme.redemptionKey(network.chainId, asset, payment),
      grantId,
      network: network.id,
      scheme: scheme.id,
      asset,
      transfer: { payer, payTo, value, validAfter: 0n, validBefore: BigInt(now), nonce, signature: "0x" },
      nominal: nominalValue(value, found.asset),
      // Not on credit: a reorg that removes the payment causes no loss.
      policy: "first",
      payerCode: null,
      state: "paid",
      fromBlock: evidence.blockNumber,
      acceptedAt: now,
      dueAt: null,
      attempts: 0,
      transactionId: null,
      evidence,
      failure: null,
      lastError: null,
      topUp: null,
    },
  }
}
