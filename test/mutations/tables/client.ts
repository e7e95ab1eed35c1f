/** The client: what it pays, to whom, and what it keeps. */
import { at, type Mutation } from "../mutation.ts"

const topUps = "test/client/purchase/top-up.test.ts"
const clientStore = "test/contracts/client-store.test.ts"

export const client: readonly Mutation[] = [
  ...at("client/core/origins.ts", [
    [
      "token endpoint on the asked origin",
      "const allowed = url && (url.origin === asked.origin || rules.tokenEndpoints.has(url.href))",
      "const allowed = url",
      "test/client/app/redirects.test.ts",
      "on another place gets nothing",
    ],
  ]),
  ...at("client/core/policy.ts", [
    [
      "domain of the own table",
      "if ((extra.name ?? name) !== name || (extra.version ?? version) !== version)",
      "if (false)",
      "test/client/core/policy.test.ts",
      "CLI-08",
    ],
    [
      "recipients that may be paid",
      "if (policy.payTos && !policy.payTos.has(payTo))",
      "if (false)",
      "test/client/purchase/rules.test.ts",
      "that is not on the list is refused",
    ],
    [
      "nothing is bought that a call would use up before it passes",
      "if (terms.calls != null && terms.calls < (info.cost ?? 1))",
      "if (false)",
      "test/client/core/economics.test.ts",
      "nothing that holds fewer than it takes",
    ],
    [
      "limit of one purchase",
      "if (policy.perPurchase !== undefined && micros > policy.perPurchase)",
      "if (false)",
      "test/client/core/policy.test.ts",
      "CLI-01: the limit of one purchase",
    ],
  ]),
  ...at("client/purchase/budget.ts", [
    [
      "limit of one purchase, again",
      '["amount_over_limit", 0n, limits.perPurchase],',
      "",
      "test/client/purchase/budget.test.ts",
      "CLI-01: the limit of one purchase",
    ],
    [
      "budget before signing",
      'if (reserved.kind === "over" || reserved.kind === "recipient_changed") throw errorOf(reserved, spending)',
      'if (reserved.kind !== "claim_lost") return true',
      "test/client/purchase/budget.test.ts",
      "gets the day's budget and no more",
    ],
    [
      "recipients pinned on first use",
      "return isKnown || isApproved ?",
      "return true ?",
      clientStore,
      "another one is refused until approved",
    ],
    [
      "what is given back is bounded",
      "givenBack + micros <= most",
      "true",
      "test/client/purchase/budget.test.ts",
      "a seller who always refuses",
    ],
  ]),
  ...at("client/purchase/approval.ts", [
    [
      "only a yes is a yes",
      "if (answer !== true)",
      "if (answer === false)",
      "test/client/purchase/rules.test.ts",
      "refuses the purchase, and nothing is signed",
    ],
  ]),
  ...at("client/purchase/sale.ts", [
    [
      "origins that may be paid",
      "if (policy.origins && !policy.origins.has(asked.origin))",
      "if (false)",
      "test/client/purchase/rules.test.ts",
      "that is not on the list is refused",
    ],
  ]),
  ...at("client/wallet/memory-store.ts", [
    [
      "a lost claim keeps nothing",
      "if (!holds(payment.claim) || !entry) return false",
      "if (!entry) return false",
      clientStore,
      "whoever takes over, until it is dropped",
    ],
  ]),
  ...at("client/node/verbs.ts", [
    [
      "one holder of a claim",
      "if (held && held.holder !== holder && held.until > now && !isGone(held)) return false",
      "",
      clientStore,
      "gives a claim to one holder at a time",
    ],
  ]),
  ...at("client/node/file-store.ts", [
    [
      "a lost claim keeps nothing in the file",
      "if (!verbs.holds(payment.claim) || !verbs.markKept(payment.reservation)) return false",
      "verbs.markKept(payment.reservation)",
      clientStore,
      "who has lost his claim",
    ],
  ]),
  ...at("client/purchase/booking.ts", [
    [
      "a payment is written down before it is sent",
      "if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()",
      "",
      "test/flows/buyer-crash.test.ts",
      "killed at any step",
    ],
  ]),
  ...at("client/wallet/refresh.ts", [
    [
      "a refresh under way outlives a crash",
      "await store.change(grant, { refreshSends: sends })",
      "",
      "test/flows/buyer-crash.test.ts",
      "between a refresh and its answer",
    ],
  ]),
  ...at("client/node/private-file.ts", [
    [
      "the client's file is its owner's alone",
      "if ((mode & 0o177) === 0) return undefined",
      "if (mode) return undefined",
      "test/client/wallet/processes.test.ts",
      "is its owner's alone",
    ],
  ]),
  ...at("client/purchase/payment.ts", [
    [
      "the secret stays out of the first sending",
      "payment.sends > 0 &&",
      "payment.sends >= 0 &&",
      "test/client/purchase/purchase.test.ts",
      "which the first sending lacks",
    ],
  ]),
  ...at("client/verifier/verify.ts", [
    [
      "a look at prices that no installed client pays for",
      "options.fetch ?? plainFetch",
      "options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call))",
      "test/client/app/plain-fetch.test.ts",
      "does not buy one",
    ],
  ]),
  ...at("client/adapters/undici.ts", [
    [
      "no dispatch after a redirect to another origin",
      "if (isRedirect(response)) targetOf(response, url)",
      "",
      "test/client/adapters/adapters.test.ts",
      "CLI-04: a redirect",
    ],
    [
      "the path of a dispatch cannot name a host",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
      "new URL(`${new URL(origin).origin}${path}`)",
      "new URL(path, origin)",
      "test/client/adapters/adapters.test.ts",
      "CLI-12: a path that looks",
    ],
    [
      "an answer that nobody reads on is ended",
      "reader?.cancel().catch(() => {})",
      "",
      "test/client/adapters/adapters.test.ts",
      "whose handler fails",
    ],
  ]),
  ...at("client/adapters/axios.ts", [
    [
      "refusals keep their type through axios",
      "isAxiosError(error) && error.cause instanceof TicketError ? error.cause : error",
      "error",
      "test/client/adapters/adapters.test.ts",
      "CLI-01: what is over",
    ],
  ]),
  ...at("client/signers/remote-signer.ts", [
    [
      "the signer's credentials follow no redirect",
      'redirect: "manual"',
      'redirect: "follow"',
      "test/client/signers/signers.test.ts",
      "CLI-04",
    ],
  ]),
  ...at("client/signers/provider-signer.ts", [
    [
      "signatures in the one spelling that the chain takes",
      "v === undefined ? hex :",
      "v !== undefined ? hex :",
      "test/client/signers/signers.test.ts",
      "spellings of wallets",
    ],
    [
      "a wallet is on the payment's chain when it signs",
      'if ("chainId" in typedData.domain) await switchTo(typedData.domain.chainId, ask)',
      "",
      "test/client/signers/signers.test.ts",
      "another chain is asked to switch",
    ],
  ]),
  ...at("client/app/fetch.ts", [
    [
      "a POST does not reach the handler twice",
      "return isGates || isIdempotent(request)",
      "return true",
      "test/client/app/calls.test.ts",
      "is not made again",
    ],
  ]),
  ...at("client/purchase/delivery.ts", [
    [
      "the same payment again",
      "    await store.keep(payment)\n",
      "    await store.drop(payment)\n",
      "test/client/purchase/purchase.test.ts",
      "a payment without an answer is kept",
    ],
    [
      "the refresh token of the seller who is paid",
      "find((grant) => keyOf(grant) === key)",
      "find((grant) => grant.id === id)",
      topUps,
      "CLI-12: a further payment shows its own",
    ],
    [
      "no refresh while a further payment is on its way",
      "if (grant === undefined) return work(holding)",
      "if (account) return work(holding)",
      topUps,
      "no refresh comes between",
    ],
  ]),
  ...at("client/purchase/top-up.ts", [
    [
      "the office that gave the grant",
      "if (sale && isOf(grant, sale)) return sale",
      "if (sale) return sale",
      topUps,
      "CLI-12: a further payment goes to",
    ],
    [
      "a second try of a further payment is not the first",
      "buy(await renewed(error, grant), 2)",
      "buy(await renewed(error, grant), 1)",
      topUps,
      "made once more, with the newest",
    ],
  ]),
  ...at("client/wire/request.ts", [
    [
      "redirects by hand",
      'redirect: "manual",\n    signal',
      'redirect: "follow",\n    signal',
      "test/client/app/redirects.test.ts",
      "to another origin is not followed",
    ],
  ]),
  ...at("client/wire/token-endpoint.ts", [
    [
      "payments are not redirected",
      'redirect: "manual",',
      'redirect: "follow",',
      "test/client/app/redirects.test.ts",
      "a payment is not redirected",
    ],
  ]),
  ...at("client/purchase/sale.ts", [
    [
      "plain servers are paid by those who want to",
      "return deps.singleCalls ? readPlain",
      "return true ? readPlain",
      "test/client/purchase/pay-per-call.test.ts",
      "unless that was asked for",
    ],
    [
      "whoever goes to the ticket office buys there himself",
      "return isTicketOffice(ours.info.tokenEndpoint, asked) ? undefined : ours",
      "return ours",
      topUps,
      "own 402 is the caller's",
    ],
  ]),
  ...at("client/purchase/pay-per-call.ts", [
    [
      "a plain server is shown the same payment again",
      "if (old && mayStillPay(old, now())) return show(old, call, holding)",
      "",
      "test/client/purchase/pay-per-call.test.ts",
      "IDM-08",
    ],
    [
      "a paid POST is not repeated",
      "isIdempotent(request) ? until : now()",
      "until",
      "test/client/purchase/pay-per-call.test.ts",
      "CLI-17",
    ],
    [
      "a settlement that failed has not been paid",
      "settlement?.success ?? response.status < 400",
      "response.status < 400",
      "test/client/purchase/pay-per-call.test.ts",
      "a settlement that says it failed",
    ],
  ]),
]
