/** Header fields as they arrived: Node joins or drops duplicates, and a proxy in front may have kept another one. */
import { dpopHeader } from "../../shared/oauth/dpop.ts"
import { commitmentHeader, idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402/messages.ts"

/** `rawHeaders` of Node: names and values in turn. */
export function fieldsOf(rawHeaders: readonly string[], name: string): readonly string[] {
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

/** The name of a header that came more than once though which of them counts would be a guess. */
export const repeatedHeader = (rawHeaders: readonly string[]): string | undefined =>
  single.find((name) => fieldsOf(rawHeaders, name).length > 1)
