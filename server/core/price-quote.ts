/** The compact quote of a price that is not fixed, `extra.quote`: key id, end, amount and seal, 57 characters or so (wire.md §3). */
import type { Address } from "../../shared/values/evm.ts"

/** What a quote is for. It is not written in the quote: the payment names it, and the seal covers it. */
export type QuoteSubject = {
  /** Whose quote it is: two services may share their keys, and not their prices. */
  readonly issuer: string
  /** Reference of the offer, which names its content. */
  readonly offer: string
  readonly network: string
  readonly scheme: string
  readonly asset: Address
}

export type QuotedAmount = {
  /** Atomic units; never 0. */
  readonly amount: bigint
  /** Seconds; the last moment at which a payment may be signed for it. */
  readonly expiresAt: number
}

export type SealedQuote = QuotedAmount & {
  /** The key that sealed it. */
  readonly kid: string
  readonly seal: string
}

/** Every part in its one spelling, so that a quote has one spelling too. */
const form = /^([0-9a-f]{16})\.([1-9][0-9]{0,10})\.([1-9][0-9]{0,77})\.([A-Za-z0-9_-]{22})$/

/** What is sealed; as JSON, so that no two subjects give the same text. */
export const sealedText = (subject: QuoteSubject, { amount, expiresAt }: QuotedAmount): string =>
  JSON.stringify([
    subject.issuer,
    subject.offer,
    subject.network,
    subject.scheme,
    subject.asset,
    amount.toString(),
    expiresAt,
  ])

export const writeQuote = ({ kid, expiresAt, amount, seal }: SealedQuote): string =>
  `${kid}.${expiresAt}.${amount}.${seal}`

/** Undefined for what {@link writeQuote} never writes. Says nothing of the seal. */
export function readQuote(text: string): SealedQuote | undefined {
  const [, kid, expiresAt, amount, seal] = form.exec(text) ?? []
  if (!kid || !expiresAt || !amount || !seal) return undefined
  return { kid, expiresAt: Number(expiresAt), amount: BigInt(amount), seal }
}
