/** Measures the parts of a sale: its functions one after the other, without other load. */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { createEvmChain } from "../../server/chains/evm.ts"
import { createRecovery } from "../../server/chains/recovery.ts"
import { claimsOf } from "../../server/core/claims.ts"
import { openGrant } from "../../server/core/grant.ts"
import { createOfferBoard } from "../../server/core/offers.ts"
import { locatePayment, matchPayment, type Payment } from "../../server/core/payment.ts"
import type { TransferReading } from "../../server/core/verdict.ts"
import { openKeys } from "../../server/keys/index.ts"
import type { RedeemOrder } from "../../server/ports/records.ts"
import { openStore } from "../../server/stores/index.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { decodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { spreadOf } from "./figures.ts"
import { preparePayments } from "./payments.ts"
import type { Service } from "./service.ts"

export type PartFigures = {
  readonly name: string
  /** The median in milliseconds. */
  readonly milliseconds: number
  /** The share of the sum of all parts. */
  readonly share: number
}

export async function measureParts(service: Service, count: number): Promise<readonly PartFigures[]> {
  const { issuer, chain: node, folder, terms } = service
  const store = await openStore(`sqlite:${join(folder, "parts.db")}`)
  const keys = await openKeys(join(folder, "keys"))
  const now = Math.floor(Date.now() / 1000)
  const board = createOfferBoard(await store.publishOffers({ offers: issuer.config.offers, now }), 900)
  const recover = await createRecovery()
  const times = new Map<string, number[]>()
  const part = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const before = performance.now()
    const result = await work()
    times.set(name, [...(times.get(name) ?? []), performance.now() - before])
    return result
  }
  try {
    for (const { headers } of await preparePayments(terms, count)) {
      const header = headers[paymentSignatureHeader] ?? ""
      const payment = await part("parse and match", () =>
        matchPayment(locatePayment(decodeHeader(header)), board),
      )
      await part("recall", () => store.recall({ key: payment.key }))
      const { scheme, transfer, network, asset } = payment
      await part("signature", () => scheme.verify(transfer, domainOf(network, asset), recover))
      const chain = createChain(payment, node.rpcUrl)
      const reading = await part("chain read", () =>
        chain.readTransfer({ scheme, asset: payment.price.asset, transfer }),
      )
      const order = orderOf(payment, reading, now)
      await part("redeem (commit)", () => store.redeem(order))
      const claims = claimsOf(openGrant(order.grant), issuer.config)
      await part("sign token", () => keys.sign(claims))
    }
  } finally {
    await store.close()
  }
  const medians = [...times].map(([name, values]) => ({ name, milliseconds: spreadOf(values).median }))
  const sum = medians.reduce((total, { milliseconds }) => total + milliseconds, 0)
  return medians.map((each) => ({ ...each, share: each.milliseconds / sum }))
}

const connections = new Map<string, ReturnType<typeof createEvmChain>>()

function createChain({ network, asset }: Payment, rpcUrl: string) {
  const known = connections.get(rpcUrl) ?? createEvmChain({ network, assets: [asset], rpcUrls: [rpcUrl] })
  connections.set(rpcUrl, known)
  return known
}

const plenty = 10n ** 15n

/** Returns the order that the token endpoint would send to the store. */
export function orderOf(
  payment: Pick<Payment, "key" | "network" | "scheme" | "transfer"> & {
    readonly offer: Pick<Payment["offer"], "ref" | "scope" | "durationSeconds">
    readonly price: Pick<Payment["price"], "asset">
  },
  reading: Pick<TransferReading, "blockNumber" | "balance">,
  now: number,
): RedeemOrder {
  const { key, offer, price, network, scheme, transfer } = payment
  const id = () => randomBytes(16).toString("base64url")
  return {
    key,
    network: network.id,
    scheme: scheme.id,
    asset: price.asset,
    transfer,
    nominal: transfer.value,
    settle: true,
    policy: "background",
    retryHash: null,
    blockSeconds: network.blockSeconds,
    intake: { blockNumber: reading.blockNumber, balance: reading.balance, payerCode: null },
    limits: {
      queue: 1e9,
      perPayment: plenty,
      perPayer: plenty,
      newPayer: 1e9,
      total: plenty,
      dailyLoss: plenty,
      failedGas: 1e9,
    },
    now,
    grant: {
      id: id(),
      offer: offer.ref,
      scope: offer.scope,
      subject: `${network.id}:${transfer.payer}`,
      paid: true,
      startsAt: now,
      expiresAt: now + offer.durationSeconds,
      opening: null,
      idempotencyHash: null,
      meter: null,
      keyThumbprint: null,
      resource: null,
      token: { jti: id(), issuedAt: now, expiresAt: now + 60, settled: false },
    },
  }
}
