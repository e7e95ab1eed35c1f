/** `fetch --quote`: what a call would cost, in a line or as JSON. */
import type { Quote } from "../purchase/dry-run.ts"
import type { Exit } from "./failures.ts"
import { costOf, quoted } from "./purchase-text.ts"
import type { Terminal } from "./terminal.ts"

export function printQuote(
  quote: Quote,
  { json = false }: { readonly json?: boolean },
  terminal: Terminal,
): Exit {
  if (json) terminal.printJson(plain(quote))
  else terminal.stdout.write(`${lineOf(quote)}\n`)
  if (quote.kind === "unknown") return "service"
  return quote.kind === "sale" && quote.refusal ? "rule" : "answered"
}

/** A quote without its error, which is no JSON. */
export function plain(quote: Quote): Record<string, unknown> {
  if (quote.kind !== "sale") return { ...quote }
  const { purchase = null, refusal, approval = null } = quote
  const { code, message, found = null, wanted = null } = refusal ?? {}
  return { kind: quote.kind, purchase, approval, refusal: refusal ? { code, message, found, wanted } : null }
}

function lineOf(quote: Quote): string {
  switch (quote.kind) {
    case "free":
      return `free: the service answered with ${quote.status}`
    case "unknown":
      return "the service wants money in a way that ticket402 does not pay"
    case "held":
      return `nothing to pay: a token for ${quoted(quote.grant.scope)} is held`
    case "sale": {
      const cost = quote.purchase ? costOf(quote.purchase) : "nothing that may be bought"
      if (quote.refusal) return `${cost}; it would be refused: ${quote.refusal.message}`
      return quote.approval ? `${cost}; somebody has to agree` : cost
    }
  }
}
