/** `fetch --dry-run`: prints the price of a call, in a line or as JSON. */
import type { DryRun } from "../purchase/dry-run.ts"
import type { Exit } from "./failures.ts"
import { costOf, quoted } from "./purchase-text.ts"
import type { Terminal } from "./terminal.ts"

export function printDryRun(
  dryRun: DryRun,
  { json = false }: { readonly json?: boolean },
  terminal: Terminal,
): Exit {
  if (json) terminal.printJson(plain(dryRun))
  else terminal.stdout.write(`${lineOf(dryRun)}\n`)
  if (dryRun.kind === "unknown") return "service"
  return dryRun.kind === "sale" && dryRun.refusal ? "rule" : "answered"
}

/** The result without its error object, as JSON can carry it. */
export function plain(dryRun: DryRun): Record<string, unknown> {
  if (dryRun.kind !== "sale") return { ...dryRun }
  const { purchase = null, refusal, approval = null } = dryRun
  const { code, message, found = null, wanted = null } = refusal ?? {}
  return { kind: dryRun.kind, purchase, approval, refusal: refusal ? { code, message, found, wanted } : null }
}

function lineOf(dryRun: DryRun): string {
  switch (dryRun.kind) {
    case "free":
      return `free: the service answered with ${dryRun.status}`
    case "unknown":
      return "the service wants money in a way that ticket402 does not pay"
    case "held":
      return `nothing to pay: a token for ${quoted(dryRun.grant.scope)} is held`
    case "sale": {
      const cost = dryRun.purchase ? costOf(dryRun.purchase) : "nothing that may be bought"
      if (dryRun.refusal) return `${cost}; it would be refused: ${dryRun.refusal.message}`
      return dryRun.approval ? `${cost}; somebody has to agree` : cost
    }
  }
}
