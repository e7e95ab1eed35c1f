/** Decides the next step of a call from the outcome of the last one. Pure: client/app/call-steps.ts does the steps. */

/** The next step of a call. `return` and `refuse` end it. */
export type Step =
  /** Requests the resource, with the grant's token if there is a grant. */
  | "send"
  /** Reads the offers of a 402. */
  | "readOffers"
  /** Reads the grant from the wallet again: another call may have refreshed it. */
  | "reread"
  | "refresh"
  /** Waits until the gate's clock has reached the issue time of the token. */
  | "wait"
  /** Looks in the wallet for another grant that the 402 would accept. */
  | "find"
  /** Asks for a grant without payment, against a signed statement of the account. */
  | "prove"
  | "buy"
  /** Pays for this one call and sends it with the payment. */
  | "payForCall"
  /** Records that the gate refused a fresh token. */
  | "recordRefusal"
  /** Returns the last answer to the caller. */
  | "return"
  /** Throws the error of the last purchase. */
  | "refuse"

/** The token to send next: `dying` when it would expire on the way. */
export type TokenAge = "none" | "fresh" | "dying"

export type Outcome =
  /** The answer belongs to the caller: no refusal, or a 402 that this client does not pay. */
  | { readonly kind: "answered" }
  | { readonly kind: "redirected"; readonly token: TokenAge }
  /**
   * 401. `byGate`: the gate rejected the token, so the handler has not run. `isRepeatable`: the method is idempotent, so
   * that the handler may receive the request twice. `secondsAhead`: how far the token's issue time is ahead of the gate's
   * clock.
   */
  | {
      readonly kind: "unauthorized"
      readonly byGate: boolean
      readonly isRepeatable: boolean
      readonly secondsAhead: number
    }
  /** 402 */
  | { readonly kind: "payment_required" }
  /** The 402 sells access. `rejectsToken`: it is the grant's own gate, and a newer token may help. */
  | { readonly kind: "offered"; readonly sells: "token" | "call"; readonly rejectsToken: boolean }
  | { readonly kind: "granted"; readonly token: TokenAge }
  /** The wallet still holds the token that was just refused. */
  | { readonly kind: "unchanged" }
  /** The grant ended: no newer token exists. */
  | { readonly kind: "ended" }
  /** The wallet, or the seller's whitelist, has no grant for this call. */
  | { readonly kind: "missing" }
  /** `isNew`: paid for now, and not by another process meanwhile. */
  | { readonly kind: "bought"; readonly isNew: boolean; readonly token: TokenAge }
  /** The payment was refused, and a payment for the present offers may be taken. */
  | { readonly kind: "offers_changed" }

/** A gate whose clock is further behind is not waited for. */
const longestWaitSeconds = 30

export type CallState = {
  readonly step: Step
  /** Whether the request carries a token. */
  readonly hasToken: boolean
  /** The access that the last refusal sells; undefined before a refusal. */
  readonly sells: "token" | "call" | "nothing" | undefined
  readonly isRefreshed: boolean
  readonly hasWaited: boolean
  readonly isPaid: boolean
  /** Whether the account may still ask for a grant without payment. */
  readonly mayProve: boolean
  /** Whether the offers were read again after a refused payment. */
  readonly isSecondAttempt: boolean
}

export function beginCall({ token, mayProve }: { token: TokenAge; mayProve: boolean }): CallState {
  const unused = {
    sells: undefined,
    isRefreshed: false,
    hasWaited: false,
    isPaid: false,
    isSecondAttempt: false,
  }
  return sendWith(token, { step: "send", hasToken: false, mayProve, ...unused })
}

export function advance(state: CallState, outcome: Outcome): CallState {
  switch (outcome.kind) {
    case "answered":
      return { ...state, step: "return" }
    case "redirected":
    case "granted":
      return sendWith(outcome.token, state)
    case "unauthorized": {
      const { secondsAhead } = outcome
      const mayWait =
        state.hasToken && outcome.byGate && secondsAhead > 0 && secondsAhead <= longestWaitSeconds
      if (mayWait && !state.hasWaited) return { ...state, step: "wait", hasWaited: true }
      // A 401 without the gate's word may be the handler's own, and a handler must not receive a POST twice (CLI-17).
      const mayRepeat = state.hasToken && (outcome.byGate || outcome.isRepeatable)
      return { ...state, sells: "nothing", step: mayRepeat ? "reread" : "return" }
    }
    case "payment_required":
      // One payment a call: a 402 after it goes to the caller.
      return { ...state, step: state.isPaid ? "return" : "readOffers" }
    case "offered": {
      const refused = { ...state, sells: outcome.sells }
      return state.hasToken && outcome.rejectsToken ? { ...refused, step: "reread" } : obtain(refused)
    }
    case "unchanged":
      if (!state.isRefreshed) return { ...state, step: "refresh", isRefreshed: true }
      // A gate that refuses a fresh token refuses the next one too (CLI-16).
      return { ...state, step: "recordRefusal" }
    case "ended":
      return obtain(state)
    case "missing":
      return state.mayProve ? { ...state, step: "prove", mayProve: false } : { ...state, step: "buy" }
    case "bought":
      return sendWith(outcome.token, { ...state, isPaid: state.isPaid || outcome.isNew })
    case "offers_changed":
      // Read once more and signed once more, so that no seller collects signatures.
      return state.isSecondAttempt
        ? { ...state, step: "refuse" }
        : sendWith("none", { ...state, isSecondAttempt: true })
  }
}

function sendWith(token: TokenAge, state: CallState): CallState {
  const next = { ...state, hasToken: token !== "none", sells: undefined }
  return token === "dying" && !state.isRefreshed
    ? { ...next, step: "refresh", isRefreshed: true }
    : { ...next, step: "send" }
}

/** The way to access that the refusal leaves. A 401 names no price, so it leaves none. */
function obtain(state: CallState): CallState {
  switch (state.sells) {
    case undefined:
      return sendWith("none", state)
    case "nothing":
      return { ...state, step: "return" }
    case "token":
      return { ...state, step: "find" }
    case "call":
      return { ...state, step: "payForCall", isPaid: true, hasToken: false }
  }
}
