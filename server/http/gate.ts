/** The gate as an endpoint: a reverse proxy asks here before it lets a request through to a service of any kind. */
import { paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402.ts"
import type { Gate, GateRequest } from "../gate.ts"
import type { Challenges, PlainAnswer } from "./challenge.ts"
import { json, noStore } from "./respond.ts"
import type { Handler, Route } from "./routes.ts"

/**
 * - `envoy`    what is refused goes to the client as it is: Envoy's ext_authz, the forward auth of Caddy and Traefik
 * - `nginx`    200 or 401, because to auth_request all but 2xx, 401 and 403 is a failure
 * - `refusal`  where nginx fetches what the client is told
 */
const forms = ["envoy", "nginx", "refusal"] as const
type Form = (typeof forms)[number]

export type GateEndpoint = {
  readonly gate: Gate
  readonly challenges: Challenges
  /** Every scope a token may have: another is a slip in the proxy's configuration. */
  readonly scopes: ReadonlySet<string>
}

/** `BASE/FORM/SCOPE`, and whatever path the proxy appends. */
export const gateRoutes = (base: string, parts: GateEndpoint): readonly Route[] =>
  forms.map((form) => ({
    path: `${base}/${form}`,
    methods: [],
    forwarded: true,
    handle: handlerOf(`${base}/${form}/`, form, parts),
  }))

function handlerOf(prefix: string, form: Form, { gate, challenges, scopes }: GateEndpoint): Handler {
  return async (request, caller) => {
    const scope = scopeIn(caller.path.slice(prefix.length))
    if (scope === undefined || !scopes.has(scope)) return json(404, { error: "scope_unknown" })
    const route = { scope, pattern: "" }
    if (caller.repeated === "Host") return refused(challenges("host_ambiguous", route), form)
    const verdict = await gate(readRequest(request, scope))
    if (verdict.kind === "refuse") return refused(challenges(verdict.reason, route), form)
    // The verdict has turned since nginx asked: what would look like an answer to the client must not be one.
    if (form === "refusal") return refused(challenges("gate_unavailable", route), form)
    const { sub, grant, scope: granted, paid } = verdict.claims
    return new Response(null, {
      headers: {
        ...noStore,
        "ticket402-subject": sub,
        "ticket402-grant": grant,
        "ticket402-scope": granted,
        "ticket402-paid": String(paid),
      },
    })
  }
}

/** Of the path as it was sent: were `..` resolved first, its sender would choose the scope. */
function scopeIn(path: string): string | undefined {
  try {
    return decodeURIComponent(path.split("/", 1)[0] ?? "")
  } catch {
    return undefined
  }
}

const readRequest = ({ headers, url }: Request, scope: string): GateRequest => {
  const authorization = headers.get("authorization")
  return {
    // Several fields arrive joined by a comma, which no token holds.
    authorization: authorization === null ? [] : [authorization],
    payment: headers.has(paymentSignatureHeader) || headers.has(paymentHeaderV1),
    queryToken: new URL(url).searchParams.has("access_token"),
    scope,
  }
}

/** To nginx without a challenge: it would add that of its 401 to the one of the refusal, and each may be there once. */
const refused = ({ status, headers, body }: PlainAnswer, form: Form): Response =>
  form === "nginx"
    ? new Response(null, { status: 401, headers: noStore })
    : new Response(body, { status, headers })
