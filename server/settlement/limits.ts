/** The limits of settlement on one network, and their defaults. */

export type SettlementLimits = {
  /** Transactions of one relayer not known to be mined. */
  readonly maxInFlight: number
  readonly resendAfterSeconds: number
  readonly bumpAfterSeconds: number
  /** How long payments ride with a relayer that cannot send before they go by another. */
  readonly rescueAfterSeconds: number
  /** Tries that may lead nowhere before a payment is dead; a node or a store that is away is no try. */
  readonly maxAttempts: number
  /** Hashes for one nonce, the first included. */
  readonly maxVersions: number
  /** Wei per gas that a transaction offers at most. */
  readonly maxFeePerGas: bigint
  /**
   * Least gas offered for a payment: a transaction with too little is never mined and holds up all later ones, or fails.
   * The first payment to a new `payTo` takes 103,300.
   */
  readonly minGas: bigint
  /** Gas that a payment may take: a payer's code could burn more. */
  readonly maxGas: bigint
  /** Payments in one transaction. */
  readonly batchSize: number
  /** Gas that a transaction with several payments may take; networks have limits of their own (EIP-7825: 2^24). */
  readonly maxBatchGas: bigint
  /** Payments looked at in one step. */
  readonly dueAtOnce: number
  /** Suspended payments looked at in one step, beside those. */
  readonly suspendedAtOnce: number
  /** A nonce was used, yet no hash of ours has a receipt: so long until the transaction is given up. */
  readonly lostAfterBlocks: bigint
  /** Blocks that a node may lag and still be believed; a block so far below the head must be known to every node. */
  readonly lagBlocks: bigint
  /** How long after one round of looks at blocks with paid payments the next one begins. */
  readonly recheckSeconds: number
  /** Such blocks looked at in one step. */
  readonly recheckBlocks: number
}

export const settlementLimits: SettlementLimits = {
  maxInFlight: 64,
  resendAfterSeconds: 15,
  bumpAfterSeconds: 30,
  rescueAfterSeconds: 60,
  maxAttempts: 30,
  maxVersions: 5,
  maxFeePerGas: 500_000_000_000n,
  minGas: 120_000n,
  maxGas: 300_000n,
  batchSize: 50,
  maxBatchGas: 16_000_000n,
  dueAtOnce: 200,
  suspendedAtOnce: 50,
  lostAfterBlocks: 6n,
  lagBlocks: 2n,
  recheckSeconds: 10,
  recheckBlocks: 32,
}
