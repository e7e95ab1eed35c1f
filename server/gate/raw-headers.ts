/** Reads header fields as they arrived: Node joins or drops duplicates, and a proxy in front may keep another one. */
import { dpopHeader } from "../../shared/oauth/dpop.ts"
import { commitmentHeader, idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import { acceptPaymentHeader, paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402/messages.ts"

/** Names and values in turn, as Node's `rawHeaders` has them. */
export type RawHeaders = readonly string[]

/**
 * Returns the headers of a message as they arrived. Adapters of serverless hosts make messages by hand, with `headers` and
 * without raw ones; what such a host has joined stays joined, and is refused where one value is wanted.
 */
export function rawHeadersOf({ rawHeaders, headers }: MessageHeaders): RawHeaders {
  if (rawHeaders !== undefined && rawHeaders.length > 0) return rawHeaders
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((each) => [name, String(each)]),
  )
}

export type MessageHeaders = {
  readonly rawHeaders?: RawHeaders
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Every value of one header, in order. */
export function fieldsOf(rawHeaders: RawHeaders, name: string): readonly string[] {
  const wanted = name.toLowerCase()
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === wanted)
}

const single = [
  "Host",
  "Authorization",
  "Content-Type",
  dpopHeader,
  paymentSignatureHeader,
  paymentHeaderV1,
  commitmentHeader,
  secretHeader,
  idempotencyHeader,
]

/** The name of a header that came more than once, where a guess would have to choose one of them. */
export const repeatedHeader = (rawHeaders: RawHeaders): string | undefined =>
  single.find((name) => fieldsOf(rawHeaders, name).length > 1)

/** The headers that decide at the gate. */
export type GateFields = {
  hosts: number
  readonly authorization: string[]
  readonly dpop: string[]
  /** The request carries an x402 payment, of either version. */
  payment: boolean
  /** The client says by `Accept-Payment` that it speaks MPP. */
  mpp: boolean
}

const dpop = dpopHeader.toLowerCase()
const payments: ReadonlySet<string> = new Set(
  [paymentSignatureHeader, paymentHeaderV1].map((name) => name.toLowerCase()),
)
const acceptPayment = acceptPaymentHeader.toLowerCase()

/**
 * Reads them in one pass, because the gate stands before every request. `shownIn`: the header that shows the token; no
 * other is looked at.
 */
export function readGateFields(rawHeaders: RawHeaders, shownIn: TokenHeader | undefined): GateFields {
  const shown = shownIn?.toLowerCase() ?? "authorization"
  const fields: GateFields = { hosts: 0, authorization: [], dpop: [], payment: false, mpp: false }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ""
    const value = rawHeaders[at + 1] ?? ""
    if (name === shown) fields.authorization.push(value)
    else if (name === "host") fields.hosts += 1
    else if (name === dpop) fields.dpop.push(value)
    else if (name === acceptPayment) fields.mpp = true
    else if (payments.has(name)) fields.payment = true
  }
  return fields
}
