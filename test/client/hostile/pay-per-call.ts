/** Plain x402 servers without a token endpoint: the hostile answers again, for paid calls. */
import { encodeHeader } from "../../../shared/values/codec.ts"
import { zeroAddress } from "../../../shared/values/evm.ts"
import { cutConnection, type Handler, json, redirect } from "../../support/fake-origin.ts"
import { createPlainGate } from "../../support/plain-gate.ts"
import { impatient, type Scenario, type Setting, watch } from "./scenario.ts"

type Entry = Record<string, unknown> & { extra?: Record<string, unknown> }
type Gate = ReturnType<typeof createPlainGate>

const payingPerCall = () => ({ payPerCall: true, networks: ["eip155:84532"] })

const route = (
  version: 1 | 2,
  name: string,
  ends: string | number,
  prepare: (gate: Gate, setting: Setting) => void,
  more: Partial<Scenario> = {},
): Scenario => ({
  name: `v${version}: ${name}`,
  ends,
  options: payingPerCall,
  arrange(setting) {
    const gate = createPlainGate(version)
    for (const method of ["GET", "POST"]) setting.seller.always(`${method} /movies/7`, gate.gate)
    prepare(gate, setting)
  },
  ...more,
})

const again = (times: number) => async (setting: Setting) => {
  for (let call = 1; call < times; call++) await watch(setting).catch(() => {})
  return watch(setting)
}
/** The price of one call. */
const fair = 10_000n

const both = ([1, 2] as const).flatMap((version) => {
  const price = version === 2 ? "amount" : "maxAmountRequired"
  const dressed = (name: string, ends: string, change: (entry: Entry) => unknown): Scenario =>
    route(version, name, ends, (gate) => {
      gate.changeEntry = change as never
    })
  const scripted = (name: string, ends: string | number, handler: Handler, times = 1): Scenario =>
    route(version, name, ends, (gate) => gate.script.push(...Array(200).fill(handler)), {
      fair,
      act: again(times),
    })
  const member = (key: string, value: unknown) => (entry: Entry) => ({ ...entry, [key]: value })
  return [
    dressed("a price over the limit (CLI-01)", "amount_over_limit", member(price, "50001")),
    dressed("a price of 1e4", "entry_malformed", member(price, "1e4")),
    dressed("a price in hex", "entry_malformed", member(price, "0x2710")),
    dressed("a negative price", "entry_malformed", member(price, "-1")),
    dressed("a numeric price", "entry_malformed", member(price, 10_000)),
    dressed("the seller's own asset (CLI-08)", "asset_unknown", member("asset", `0x${"ab".repeat(20)}`)),
    dressed("a network that is not allowed", "network_not_allowed", member("network", "base")),
    dressed("payTo of zero", "pay_to_invalid", member("payTo", zeroAddress)),
    dressed(
      "another signing domain (CLI-08)",
      "domain_mismatch",
      member("extra", { name: "USD Coin", version: "2" }),
    ),
    dressed(
      "Permit2 (CLI-09)",
      "transfer_method_unknown",
      member("extra", { assetTransferMethod: "permit2" }),
    ),
    dressed("a scheme that signs a maximum (CLI-09)", "scheme_unknown", member("scheme", "upto")),
    dressed(
      "the access-token flow without a token endpoint",
      "payment_flow_unknown",
      member("extra", { paymentFlow: "access-token" }),
    ),
    scripted(
      "a 402 for every payment, ten times: one signature (IDM-08)",
      "asked_to_pay_again",
      (_request, response) => {
        const body = createPlainGate(version).challenge("pay again")
        json(response, 402, body, version === 2 ? { "payment-required": encodeHeader(body) } : {})
      },
      10,
    ),
    scripted(
      "no answer to any payment, ten times: one signature (IDM-02)",
      "outcome_unknown",
      cutConnection,
      10,
    ),
    scripted(
      "an error for every payment, ten times: one signature",
      500,
      (_request, response) => json(response, 500, {}),
      10,
    ),
    {
      ...scripted("a 402 sent a byte at a time for a payment", "asked_to_pay_again", (_request, response) => {
        response.writeHead(402, { "content-type": "application/json" })
        const timer = setInterval(() => response.write(" "), 20)
        response.on("close", () => clearInterval(timer))
      }),
      options: () => ({ ...payingPerCall(), ...impatient() }),
    },
    route(
      version,
      "a price that rises once a payment is signed",
      "asked_to_pay_again",
      (gate) => {
        gate.script.push((_request, response) => {
          gate.amount = "50000"
          json(response, 402, gate.challenge("dearer"))
        })
      },
      { fair, act: again(3) },
    ),
    ...[302, 307, 308].map((status) =>
      route(
        version,
        `a ${status} to another origin for a payment (CLI-04)`,
        "redirect_origin",
        (gate, { foreign }) => {
          gate.handler = redirect(`${foreign.url}/movies/7`, status)
        },
        { fair },
      ),
    ),
    route(
      version,
      "a paid POST redirected with its body (CLI-04)",
      "redirect_origin",
      (gate, { foreign }) => {
        gate.handler = redirect(`${foreign.url}/movies/7`, 307)
      },
      {
        fair,
        act: (setting) =>
          setting.client.fetch(`${setting.seller.url}/movies/7`, { method: "POST", body: "mine" }),
      },
    ),
    route(
      version,
      "a price behind a paid redirect (CLI-02)",
      402,
      (gate, { seller }) => {
        const next = createPlainGate(version)
        seller.always("GET /seat", next.gate)
        gate.handler = redirect("/seat", 302)
      },
      { fair },
    ),
    route(
      version,
      "content that asks for more (CLI-21)",
      200,
      (gate) => {
        gate.handler = (_request, response) => json(response, 200, gate.challenge("and again"))
      },
      { fair },
    ),
    route(version, "another recipient than last time", "recipient_changed", () => {}, {
      fair,
      async act(setting) {
        await watch(setting)
        const gate = createPlainGate(version)
        gate.changeEntry = member("payTo", `0x${"77".repeat(20)}`)
        setting.seller.always("GET /movies/7", gate.gate)
        return watch(setting)
      },
    }),
    route(version, "the daily budget (CLI-02)", "day_budget_spent", () => {}, {
      fair: 3n * fair,
      options: () => ({ ...payingPerCall(), budget: { perPurchase: "0.05", perDay: "0.03" } }),
      act: again(10),
    }),
    route(version, "a client without payPerCall", 402, () => {}, {
      options: () => ({ networks: ["eip155:84532"] }),
    }),
    route(version, "control: three calls make three payments", 200, () => {}, {
      fair: 3n * fair,
      act: again(3),
    }),
    route(
      version,
      "control: an answer lost twice, one payment",
      200,
      (gate) => gate.script.push(cutConnection, cutConnection),
      { fair },
    ),
  ]
})

const odd = (name: string, ends: string | number, handler: Handler): Scenario => ({
  name,
  ends,
  options: payingPerCall,
  arrange: ({ seller }) => seller.always("GET /movies/7", handler),
})

export const payPerCall: readonly Scenario[] = [
  ...both,
  odd("an unknown version", 402, (_request, response) =>
    json(response, 402, { x402Version: 3, accepts: [{}] }),
  ),
  odd("a v1 402 without entries", "challenge_malformed", (_request, response) =>
    json(response, 402, { x402Version: 1, accepts: "none" }),
  ),
  odd("v2 entries in a v1 402", "entry_malformed", (_request, response) =>
    json(response, 402, { x402Version: 1, accepts: createPlainGate(2).challenge("").accepts }),
  ),
  odd("v1 entries in a v2 402", "entry_malformed", (_request, response) => {
    const { accepts } = createPlainGate(1).challenge("")
    const body = { x402Version: 2, resource: { url: "http://seller.example" }, accepts }
    json(response, 402, body, { "payment-required": encodeHeader(body) })
  }),
]
