/** How a command ends: its exit code, and one line that says what happened, whether anything was paid and what to do. */
import { BudgetRefusal, PolicyRefusal, Ticket402Error, type Ticket402ErrorCode } from "../core/errors.ts"
import type { Money } from "./money.ts"

/** The exit codes, after `sysexits.h` where it has one; the documents' table is made of this. */
export const exits = {
  answered: { code: 0, meaning: "The service answered with a status below 400." },
  bug: { code: 1, meaning: "A defect of ticket402." },
  declined: {
    code: 22,
    meaning:
      "The service answered with 400 or more, as with `curl --fail`; its answer is written all the same.",
  },
  unreachable: { code: 69, meaning: "The service could not be reached, or the connection broke." },
  output: { code: 74, meaning: "The answer could not be written." },
  unanswered: {
    code: 75,
    meaning:
      "A payment or a refresh has no answer yet. Run the command again: the same one is sent, never a second payment.",
  },
  service: { code: 76, meaning: "The service refused the payment, or broke the protocol." },
  rule: { code: 77, meaning: "One of your own rules refused: budget, approval, networks and the like." },
  settings: { code: 78, meaning: "Arguments, settings, account file or password are wrong." },
  interrupted: { code: 130, meaning: "Ctrl-C." },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>

export type Exit = keyof typeof exits

/** What the person at the terminal can mend; the sentence holds no secret. */
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

/** Who reads it: a person can be told what to type, an agent is not to change its owner's rules. */
export type Reader = "person" | "agent"

/** Throws what is none: a defect shows its stack. */
export function failureOf(error: unknown, money: Money, reader: Reader = "person"): Failure {
  if (error instanceof CommandError) return { exit: error.exit, code: error.exit, text: error.message }
  if (error instanceof Ticket402Error) {
    const { code } = error
    const advice = reader === "person" ? adviceOf(error) : agentAdvice[exitOf(error)]
    const text = [error.message.replace(/ \[[a-z_]+\]$/, ""), money.sentence(isKept(code)), advice ?? ""]
    return { exit: exitOf(error), code, text: text.filter((part) => part !== "").join(" ") }
  }
  // What fetch throws when there is no answer: its own message says nothing, and the cause may hold more than it should.
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

/** A signed payment whose outcome is open is in the store. */
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
    case "option_invalid":
      return "Mend settings.json."
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
  rule: "The rule is the owner's, and only the owner changes it: do not try again unless it was changed.",
  settings: "Tell the owner.",
}

const causeOf = (cause: unknown): string =>
  cause instanceof Error &&
  "code" in cause &&
  typeof cause.code === "string" &&
  /^[A-Z0-9_]+$/.test(cause.code)
    ? ` (${cause.code})`
    : ""
