/** Orders, versions and evidence for tests of the store; values that a test does not set are random. */
import { randomBytes } from "node:crypto"
import type { ExposureLimits } from "../../server/core/exposure.ts"
import type { Evidence } from "../../server/core/redemption.ts"
import type { RedeemOrder, SignedBytes, TopUpOrder } from "../../server/ports/records.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"

/** The time at which tests of the store begin, in seconds. */
export const start = 1_700_000_000
export const network = "eip155:84532"
export const relayer: Address = `0x${"ee".repeat(20)}`
export const asset: Address = `0x${"aa".repeat(20)}`
const settler: Address = `0x${"cc".repeat(20)}`

export const randomHex = (bytes: number): Hex => `0x${randomBytes(bytes).toString("hex")}`
export const randomAddress = (): Address => randomHex(20)

export type OrderChanges = Partial<Omit<RedeemOrder, "grant" | "transfer" | "limits" | "intake">> & {
  readonly payer?: Address
  readonly grant?: Partial<RedeemOrder["grant"]>
  readonly transfer?: Partial<SignedTransfer>
  readonly limits?: Partial<RedeemOrder["limits"]>
  readonly intake?: Partial<RedeemOrder["intake"]>
}

/** Limits that refuse nothing. */
export const noLimits: ExposureLimits = {
  queue: 1000,
  perPayment: 10n ** 80n,
  perPayer: 10n ** 80n,
  newPayer: 1000,
  total: 10n ** 80n,
  dailyLoss: 10n ** 80n,
  failedGas: 10 ** 12,
}

/**
 * An order of 0.01 of an asset with 6 decimals, by a payer with a large balance, under limits that refuse
 * nothing.
 */
export function orderOf(changes: OrderChanges = {}): RedeemOrder {
  const { payer = randomAddress(), grant, transfer, limits, intake, ...rest } = changes
  const now = rest.now ?? start
  const nonce = transfer?.nonce ?? randomHex(32)
  return {
    key: `exact:84532:${asset}:${payer}:${nonce}`,
    network,
    scheme: "exact",
    asset,
    nominal: transfer?.value ?? 10_000n,
    settle: true,
    policy: "background",
    retryHash: null,
    blockSeconds: 2,
    now,
    ...rest,
    grant: {
      id: randomBytes(16).toString("base64url"),
      offer: "hour@00000000",
      scope: "movies:read",
      subject: `${network}:${payer}`,
      paid: true,
      startsAt: now,
      expiresAt: now + 3600,
      opening: randomHex(32),
      idempotencyHash: null,
      meter: null,
      keyThumbprint: null,
      resource: null,
      token: {
        jti: randomBytes(16).toString("base64url"),
        issuedAt: now,
        expiresAt: now + 60,
        settled: false,
      },
      ...grant,
    },
    transfer: {
      payer,
      payTo: `0x${"bb".repeat(20)}`,
      value: 10_000n,
      validAfter: 0n,
      validBefore: BigInt(now + 600),
      nonce,
      signature: randomHex(65),
      ...transfer,
    },
    limits: { ...noLimits, ...limits },
    intake: { blockNumber: 100n, balance: 10n ** 12n, payerCode: null, ...intake },
  }
}

export type TopUpChanges = Partial<Omit<TopUpOrder, "topUp" | "request" | "transfer" | "limits">> & {
  readonly offer?: Partial<TopUpOrder["topUp"]["offer"]>
  readonly kind?: TopUpOrder["topUp"]["kind"]
  readonly opening?: Hex
  readonly request?: Partial<TopUpOrder["request"]>
  readonly limits?: Partial<TopUpOrder["limits"]>
}

/** A further payment for a grant of {@link orderOf}; default: one that extends it. */
export function topUpOf(grantId: string, changes: TopUpChanges = {}): TopUpOrder {
  const { offer, kind = "extends", opening = randomHex(32), request, limits, ...rest } = changes
  const value = rest.nominal ?? 10_000n
  const { grant: _, settle, retryHash, ...payment } = orderOf({ transfer: { value }, now: rest.now ?? start })
  return {
    ...payment,
    grantId,
    topUp: {
      opening,
      kind,
      offer: { ref: "hour@00000000", scope: "movies:read", durationSeconds: 3600, units: null, ...offer },
    },
    request: { generation: 0, keyThumbprint: null, needsKey: false, from: "hour@00000000", ...request },
    jti: randomBytes(16).toString("base64url"),
    lives: { full: 300, pending: 60 },
    ...rest,
    limits: { ...noLimits, ...limits },
  }
}

export const versionOf = (changes: Partial<SignedBytes> = {}): SignedBytes => ({
  hash: randomHex(32),
  raw: randomHex(110),
  maxFeePerGas: 2_000_000_000n,
  maxPriorityFeePerGas: 1_000_000_000n,
  ...changes,
})

export const evidenceOf = (changes: Partial<Evidence> = {}): Evidence => ({
  transactionHash: randomHex(32),
  logIndex: 1,
  blockNumber: 110n,
  blockHash: randomHex(32),
  ...changes,
})

/** A transaction to prepare, without the fence and the nonce. */
export const preparation = (redemptions: readonly string[], now = start) => ({
  network,
  relayer,
  to: settler,
  data: randomHex(68),
  gas: 100_000n,
  version: versionOf(),
  redemptions,
  now,
})
