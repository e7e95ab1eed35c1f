/** Removes the defences that pay-at-routes.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/match.ts", [
    [
      "no offer is sold at a route that it does not open",
      'if (request.gatedRoute && !opens(offer, request.gatedRoute)) throw new Refusal("offer_elsewhere")',
      "",
      "HTP-02",
    ],
  ]),
  ...at("server/core/offers.ts", [
    [
      "no offer is sold at a route that costs more",
      "(offer.units === null || offer.units >= gatedRoute.cost) &&",
      "",
      "HTP-02",
    ],
  ]),
  ...at("server/gate/pay-at-routes.ts", [
    [
      "no second payment is requested for a paid call",
      "isPaymentRefusal(reason) ? plainAnswer(refuse(path, afterPayment[reason])) : undefined",
      "undefined",
      "IDM-06",
    ],
    ["the rate of a peer counts at routes too", "peer: payer.peer,", 'peer: "",', "DOS-02"],
  ]),
  ...at("server/gate/handle-gate.ts", [
    [
      "a token beside a payment decides alone",
      "!payment || authorization.length > 0 || queryToken",
      "!payment",
      "TOK-01",
    ],
    [
      "the buyer gets its token however the call ends",
      "if (entry) Object.assign(headers, entry.headers)",
      "",
      "CLI-14",
    ],
  ]),
  ...at("server/http/token-endpoint.ts", [
    ["one x402 version per request", "if (header !== null && headerV1 !== null)", "if (false)", "HTP-08"],
  ]),
  ...at("server/core/x402-v1.ts", [
    [
      "a v1 payment matches the signed amount",
      "return entry.amount === value.toString() && parseAddress(entry.payTo) === payTo",
      "return true",
      "pays for the named offer",
    ],
  ]),
]
