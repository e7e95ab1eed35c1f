/** Asks the chain whether the payment would arrive: one read of the payer's balance, nonce and simulated transfer. */
import { type Reason, Refusal } from "../../../shared/refusals.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { nominalOf } from "../../core/payment.ts"
import type { TransferReading } from "../../core/verdict.ts"
import type { Chain } from "../../ports/chain.ts"
import type { TokenDeps } from "../grant-type.ts"
import { requireChain } from "./connection.ts"
import { showsSecret } from "./match.ts"
import { type Repeated, recall } from "./recall.ts"
import { requireOpen, requireSale } from "./sale.ts"
import type { Signed } from "./signature.ts"

export type Checked = Signed & { readonly kind: "checked"; readonly reading: TransferReading }

/** A payment whose nonce is used, and the chain that said so. */
export type OnChain = Signed & {
  readonly kind: "on_chain"
  readonly chain: Chain
  readonly reading: TransferReading
}

/** 65 zero bytes: a node must not see a signature that is not to be submitted. */
const noSignature: Hex = `0x${"00".repeat(65)}`

export async function checkChain(signed: Signed, deps: TokenDeps): Promise<Checked | OnChain | Repeated> {
  const { payment, byKey, free } = signed
  const chain = requireChain(byKey ? deps.chains : deps.contracts, payment.network.id)
  await chain.ready()
  // A payment that is on the chain already needs no settlement, and only its owner's requests show the secret.
  const mayBeOnChain = showsSecret(signed)
  if (!mayBeOnChain && !free) await requireOpen(payment, deps)
  const reading = await readTransfer(signed, chain)
  if (reading.used) return { ...signed, kind: "on_chain", chain, reading }
  if (mayBeOnChain) await requireSale(signed, deps)
  const refused = refusalOf(signed, reading)
  if (refused) {
    // A copy of this request may have been redeemed, and even settled, since the first look.
    const meanwhile = await recall(payment.key, deps)
    if (meanwhile) return meanwhile
    // A paused asset refuses everybody, and this buyer may come again.
    if (refused === "simulation_failed") await deps.assets.look(payment.network.id, payment.price.asset)
    throw new Refusal(refused)
  }
  // Only the chain proved this signature, so only now does it count against the payer.
  if (!byKey) await deps.payers.take(payment.transfer.payer)
  deps.onStep?.("payment-checked")
  return { ...signed, kind: "checked", reading }
}

function readTransfer({ payment, free }: Signed, chain: Chain): Promise<TransferReading> {
  const transfer = free ? { ...payment.transfer, signature: noSignature } : payment.transfer
  const source = chain.agreed(nominalOf(payment)) ?? chain
  return source.readTransfer({ scheme: payment.scheme, asset: payment.price.asset, transfer })
}

/**
 * Too low a balance has a reason of its own. Any other refusal is the asset's, which asks the payer's code where there is
 * some (ERC-1271, EIP-7702), whatever the key signed.
 */
function refusalOf({ payment, free }: Signed, reading: TransferReading): Reason | undefined {
  if (free) return reading.payerCode ? "payer_unacceptable" : undefined
  if (reading.balance < payment.transfer.value) return "insufficient_funds"
  const arrives = reading.transferred && reading.received === payment.transfer.value
  return arrives ? undefined : "simulation_failed"
}
