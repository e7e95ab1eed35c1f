/** Payments made at the door, by stock x402 clients too. */
import { at, type Mutation } from "../mutation.ts"

const walkUp = "test/flows/pay-at-routes.test.ts"
const hook = "test/client/adapters/x402.test.ts"

export const strangersAtTheDoor: readonly Mutation[] = [
  ...at("server/grants/payment/index.ts", [
    [
      "nothing is sold at a door that it would not open",
      'if (request.door && !opens(payment.offer, request.door)) throw new Refusal("offer_elsewhere")',
      "",
      walkUp,
      "HTP-02",
    ],
  ]),
  ...at("server/core/offers.ts", [
    [
      "nothing is sold at a door that asks for more of it",
      "(offer.units === null || offer.units >= door.cost) &&",
      "",
      walkUp,
      "HTP-02",
    ],
  ]),
  ...at("server/http/pay-at-routes.ts", [
    [
      "no second payment is asked for what was paid for",
      "wantsMoney(reason) ? office.refuse(path, afterPayment[reason]) : undefined",
      "undefined",
      walkUp,
      "IDM-06",
    ],
    [
      "the rate of a peer at the door",
      "{ ...caller, path, door }",
      '{ ...caller, peer: "", path, door }',
      walkUp,
      "DOS-02",
    ],
  ]),
  ...at("server/adapters/express.ts", [
    [
      "a token beside a payment decides alone",
      "!shown.payment || shown.authorization.length > 0 || shown.queryToken",
      "!shown.payment",
      walkUp,
      "TOK-01",
    ],
    [
      "what was bought is the buyer's, however the call ends",
      "for (const [name, value] of Object.entries(entry?.headers ?? {})) res.setHeader(name, value)",
      "",
      walkUp,
      "CLI-14",
    ],
  ]),
  ...at("server/http/token-endpoint.ts", [
    [
      "one version of x402 in a request",
      "if (header !== null && headerV1 !== null)",
      "if (false)",
      walkUp,
      "HTP-08",
    ],
  ]),
  ...at("server/http/x402-v1.ts", [
    [
      "a v1 payment is for what was signed",
      "entry.amount === value && entry.payTo.toLowerCase() === to.toLowerCase()",
      "true",
      walkUp,
      "pays for the offer named",
    ],
  ]),
  ...at("client/adapters/x402.ts", [
    [
      "the hook's tokens stay with who sold them",
      'const key = [office, resource, offer].join(" ")',
      'const key = ""',
      hook,
      "CLI-12",
    ],
    [
      "the hook knows who asked, or does nothing",
      "if (origin === undefined || !info) return undefined",
      "if (!info) return undefined",
      hook,
      "CLI-12",
    ],
    ["the hook's payment follows no redirect", 'redirect: "error"', 'redirect: "follow"', hook, "CLI-13"],
    [
      "the hook buys nothing twice that does not open the call",
      "if (!isGood(ticket, cost))",
      "if (!ticket)",
      hook,
      "CLI-02: does not buy over and over",
    ],
    ["the hook counts calls", "ticket.callsLeft -= cost", "", hook, "buys again when"],
  ]),
]
