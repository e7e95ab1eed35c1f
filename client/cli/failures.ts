/** Decides how a command ends: its exit code, and one line with the failure, the money and the next step. */
import { BudgetRefusal, PolicyRefusal, Ticket402Error, type Ticket402ErrorCode } from "../core/errors.ts"
import type { Money } from "./money.ts"

/** The exit codes, from `sysexits.h` where it has one; they make the table in docs/agents.md. */
export const exits = {
  answered: { code: 0, meaning: "The service answered with a status below 400." },
  bug: { code: 1, meaning: "A defect of ticket402." },
  declined: {
    code: 22,
    meaning:
      "The service answered with a status of 400 or more, as with `curl --fail`. The answer is printed.",
  },
  unreachable: { code: 69, meaning: "The service could not be reached, or the connection broke." },
  output: { code: 74, meaning: "The answer could not be written." },
  unanswered: {
    code: 75,
    meaning:
      "A payment or a refresh has no answer yet. Run the command again: it sends the same payment, never a second one.",
  },
  service: { code: 76, meaning: "The service refused the payment or broke the protocol." },
  rule: { code: 77, meaning: "A rule of yours refused: budget, approval, networks and so on." },
  settings: { code: 78, meaning: "Arguments, settings, the account file or the password are wrong." },
  interrupted: { code: 130, meaning: "Interrupted by Ctrl-C." },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>

export type Exit = keyof typeof exits

/** A problem that the person at the terminal can correct; the sentence contains no secret. */
export class CommandError extends Error {
  readonly exit: Exit

  constructor(sentence: string, exit: Exit = "settings") {
    super(sentence)
    this.name = "CommandError"
    this.exit = exit
  }
}

export type Failure = {
  readonly exit: Exit
  /** A stable code. */
  readonly code: string
  /** One line. */
  readonly text: string
}

/** The reader of the line: a person gets a command to type, an agent must not change the rules of its owner. */
export type Reader = "person" | "agent"

/** Rethrows any other error: a defect shows its stack. */
export function failureOf(error: unknown, money: Money, reader: Reader = "person"): Failure {
  if (error instanceof CommandError) return { exit: error.exit, code: error.exit, text: error.message }
  if (error instanceof Ticket402Error) {
    const { code } = error
    const advice = reader === "person" ? adviceOf(error) : agentAdvice[exitOf(error)]
    const paid = code === "not_sent" ? "Nothing was paid." : money.sentence(isKept(code))
    const text = [error.message.replace(/ \[[a-z_]+\]$/, ""), paid, advice ?? ""]
    return { exit: exitOf(error), code, text: text.filter((part) => part !== "").join(" ") }
  }
  // fetch throws this without an answer. Its message is empty of facts, and its cause may contain secrets.
  if (error instanceof TypeError && error.cause !== undefined)
    return {
      exit: "unreachable",
      code: "unreachable",
      text: `The service could not be reached${causeOf(error.cause)}. ${money.sentence(false)} Try again later.`,
    }
  throw error
}

const kept: readonly Ticket402ErrorCode[] = [
  "outcome_unknown",
  "settlement_pending",
  "answer_malformed",
  "answer_redirected",
  "asked_to_pay_again",
  "payment_conflict",
]

/** Codes of errors after which a signed payment with an open outcome is in the store. */
const isKept = (code: Ticket402ErrorCode): boolean => kept.includes(code)

function exitOf(error: Ticket402Error): Exit {
  if (error instanceof PolicyRefusal || error instanceof BudgetRefusal) return "rule"
  switch (error.code) {
    case "option_invalid":
    case "store_unavailable":
    case "body_too_large":
    case "signing_failed":
      return "settings"
    case "outcome_unknown":
    case "settlement_pending":
    case "purchase_overtaken":
    case "refresh_unanswered":
      return "unanswered"
    case "not_sent":
      return "unreachable"
    default:
      return "service"
  }
}

function adviceOf(error: Ticket402Error): string {
  switch (error.code) {
    case "approval_denied":
      return "Agree with --yes, or with --max and an amount, or run it in a terminal to be asked."
    case "outcome_unknown":
    case "settlement_pending":
    case "purchase_overtaken":
    case "refresh_unanswered":
      return "Run the same command again."
    case "receipt_unavailable":
      return error.action === "retry" ? "Run the same command again in a minute." : ""
    case "paid_without_access":
      return "Tell the seller. To buy again, forget the grant: ticket402 tokens remove and its id."
    case "option_invalid":
      return "Correct settings.json."
    case "purchase_refused":
      return error.reason === "insufficient_funds"
        ? "Send money to the account (ticket402 account show)."
        : ""
    default:
      return error instanceof BudgetRefusal || error.code.endsWith("_not_allowed")
        ? "The rule is in settings.json (ticket402 budget)."
        : ""
  }
}

const agentAdvice: Partial<Record<Exit, string>> = {
  unanswered: "Make the same call again.",
  rule: "The owner set this rule, and only the owner may change it. Do not try again before that.",
  settings: "Report this to the owner.",
}

const causeOf = (cause: unknown): string =>
  cause instanceof Error &&
  "code" in cause &&
  typeof cause.code === "string" &&
  /^[A-Z0-9_]+$/.test(cause.code)
    ? ` (${cause.code})`
    : ""
