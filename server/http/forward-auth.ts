/** Serves the gate as an endpoint, which a reverse proxy asks before it forwards a request. */
import type { PlainAnswer } from "../../shared/oauth/gate-answer.ts"
import { Refusal } from "../../shared/refusals.ts"
import { type TokenHeader, tokenHeader } from "../../shared/token-header.ts"
import type { Challenges } from "../gate/challenges.ts"
import { type HandleGate, rateLimitHeaders } from "../gate/handle-gate.ts"
import { json, noStore } from "./respond.ts"
import type { Handler, Route } from "./router.ts"

/**
 * - `envoy`    a refusal goes to the client as it is: Envoy's ext_authz, the forward auth of Caddy and Traefik.
 * - `nginx`    200 or 401. To auth_request every other status but 403 is a failure.
 * - `refusal`  nginx fetches the refusal for the client here.
 */
const forms = ["envoy", "nginx", "refusal"] as const
type Form = (typeof forms)[number]

/** Below this, a token is shown in `Ticket402-Token`, because the service needs `Authorization` for its own login. */
const tokenHeaderForm = "token-header"

/** Where `createVerifier` reads the price that it shows: `BASE/price/SCOPE?resource=`. */
const priceForm = "price"

export type GateEndpoint = {
  readonly handleGate: HandleGate
  readonly challenges: Challenges
  /** Every scope a token may have: another one is a mistake in the proxy's configuration. */
  readonly scopes: ReadonlySet<string>
  readonly resources: readonly string[]
}

/**
 * `BASE/FORM/SCOPE` or `BASE/token-header/FORM/SCOPE`, with `SCOPE@5` for a call that costs 5 units, and the path that the
 * proxy appends.
 */
export const gateRoutes = (base: string, parts: GateEndpoint): readonly Route[] => [
  ...routesBelow(base, parts),
  ...routesBelow(`${base}/${tokenHeaderForm}`, { ...parts, tokenHeader }),
]

type Parts = GateEndpoint & { readonly tokenHeader?: TokenHeader }

const routesBelow = (base: string, parts: Parts): readonly Route[] =>
  [
    ...forms.map((form) => ({ form, handle: handlerOf(`${base}/${form}/`, form, parts) })),
    { form: priceForm, handle: priceHandler(`${base}/${priceForm}/`, parts) },
  ].map(({ form, handle }) => ({ path: `${base}/${form}`, methods: [], forwarded: true, handle }))

/** Answers with the 402 for a service elsewhere, which sends it on as its own. */
function priceHandler(prefix: string, { challenges, scopes, resources, tokenHeader }: Parts): Handler {
  return (request, { path }) => {
    const wanted = wantedIn(path.slice(prefix.length), scopes)
    if (!wanted) return json(404, { error: "scope_unknown" })
    const resource = new URL(request.url).searchParams.get("resource") ?? undefined
    if (resource !== undefined && !resources.includes(resource)) throw new Refusal("invalid_target")
    const { status, headers, body } = challenges("token_missing", {
      scope: wanted.scope,
      pattern: "",
      tokenHeader,
      ...(resource !== undefined && { resource }),
    })
    return new Response(body, { status, headers })
  }
}

function handlerOf(prefix: string, form: Form, parts: Parts): Handler {
  const { handleGate, challenges, scopes, tokenHeader } = parts
  return async (request, { path, rawHeaders }) => {
    const asked = path.slice(prefix.length)
    const [segment = ""] = asked.split("/", 1)
    const wanted = wantedIn(segment, scopes)
    if (!wanted) return json(404, { error: "scope_unknown" })
    const target = asked.slice(segment.length) + new URL(request.url).search
    const { method } = request
    const outcome = await handleGate({ method, target, rawHeaders, tokenHeader, ...wanted })
    if (outcome.kind === "answer") return refused(outcome, form)
    const { claims, charge, headers } = outcome
    // The answer of the service behind the proxy is not seen here, so every call that passes is charged.
    charge?.settle(form === "refusal" ? "returned" : "kept")
    // The verdict has turned since nginx asked: nothing that looks like a success may reach the client.
    if (form === "refusal")
      return refused(challenges("gate_unavailable", { scope: wanted.scope, pattern: "", tokenHeader }), form)
    const { sub, grant, scope, paid } = claims
    return new Response(null, {
      headers: {
        ...headers,
        ...noStore,
        "ticket402-subject": sub,
        "ticket402-grant": grant,
        "ticket402-scope": scope,
        "ticket402-paid": String(paid),
        ...(charge && rateLimitHeaders(charge, "kept")),
      },
    })
  }
}

type Wanted = { readonly scope: string; readonly cost: () => number }

/** Of the path as it was sent: with `..` resolved, the caller would choose the scope. */
function wantedIn(segment: string, scopes: ReadonlySet<string>): Wanted | undefined {
  const text = decoded(segment)
  if (scopes.has(text)) return { scope: text, cost: () => 1 }
  const [, scope = "", cost = ""] = /^(.+)@([1-9][0-9]{0,5})$/.exec(text) ?? []
  return scopes.has(scope) ? { scope, cost: () => Number(cost) } : undefined
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ""
  }
}

/** To nginx without a challenge: it would add that of its 401 to the one of the refusal, and each may be there once. */
const refused = ({ status, headers, body }: PlainAnswer, form: Form): Response =>
  form === "nginx"
    ? new Response(null, { status: 401, headers: noStore })
    : new Response(body, { status, headers })
