/** Reads and writes price quotes, `extra.quote`: key id, end, amount and seal in some 57 characters. */
import type { Address } from "../../shared/values/evm.ts"

/** The subject of a price quote. The payment names it and the seal covers it; the quote does not contain it. */
export type QuoteSubject = {
  /** The issuer of the quote: two services may share keys, but not prices. */
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

/** Returns the text under the seal. It is JSON, so that no two subjects have the same text. */
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
