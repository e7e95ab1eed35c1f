/** Counts the payments that bought nothing new: repeated ones, and refused ones by the reason. */
import { idOf } from "../core/offers.ts"
import type { TokenEndpoint } from "../grants/token-endpoint.ts"
import { reasonOf } from "../ports/failure-reasons.ts"
import type { Metrics } from "../ports/metrics.ts"

/** The same token endpoint. Sales are counted where they are recorded. */
export function observedSales(endpoint: TokenEndpoint, metrics: Metrics): TokenEndpoint {
  return async (request) => {
    const payment = request.parameters.get("payment")
    if (payment === undefined) return endpoint(request)
    const count = (outcome: string) =>
      metrics.counter("ticket402_purchases_total", { offer: offerIn(payment), outcome }).add()
    try {
      const answer = await endpoint(request)
      if (answer.kind === "issued" && answer.replayed) count("repeated")
      return answer
    } catch (error) {
      count(reasonOf(error))
      throw error
    }
  }
}

/** The offer that a payment names, as far as it can be read. */
function offerIn(payment: unknown): string {
  const { accepted } = (payment ?? {}) as { accepted?: { extra?: { offer?: unknown } } | null }
  const ref = accepted?.extra?.offer
  return typeof ref === "string" ? idOf(ref) : ""
}
