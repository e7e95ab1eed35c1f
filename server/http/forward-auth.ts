/** The gate as an endpoint: a reverse proxy asks here before it lets a request through to a service of any kind. */
import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import type { Gate, GateRequest } from "../gate/gate.ts"
import type { Challenges, PlainAnswer } from "./payment-required.ts"
import { rateLimitFields } from "./rate-limit.ts"
import { json, noStore } from "./respond.ts"
import type { Handler, Route } from "./router.ts"

/**
 * - `envoy`    what is refused goes to the client as it is: Envoy's ext_authz, the forward auth of Caddy and Traefik
 * - `nginx`    200 or 401, because to auth_request all but 2xx, 401 and 403 is a failure
 * - `refusal`  where nginx fetches what the client is told
 */
const forms = ["envoy", "nginx", "refusal"] as const
type Form = (typeof forms)[number]

type Wanted = { readonly scope: string; readonly cost: number }

export type GateEndpoint = {
  readonly gate: Gate
  readonly challenges: Challenges
  /** Every scope a token may have: another is a slip in the proxy's configuration. */
  readonly scopes: ReadonlySet<string>
}

/** `BASE/FORM/SCOPE`, or `SCOPE@5` for a call that costs 5 units, and whatever path the proxy appends. */
export const gateRoutes = (base: string, parts: GateEndpoint): readonly Route[] =>
  forms.map((form) => ({
    path: `${base}/${form}`,
    methods: [],
    forwarded: true,
    handle: handlerOf(`${base}/${form}/`, form, parts),
  }))

function handlerOf(prefix: string, form: Form, { gate, challenges, scopes }: GateEndpoint): Handler {
  return async (request, caller) => {
    const asked = caller.path.slice(prefix.length)
    const wanted = wantedIn(asked, scopes)
    if (!wanted) return json(404, { error: "scope_unknown" })
    const route = { ...wanted, pattern: "" }
    if (caller.repeated === "Host") return refused(challenges("host_ambiguous", route), form)
    const path = asked.slice(asked.split("/", 1)[0]?.length)
    const verdict = await gate({ ...readRequest(request), ...wanted, path })
    if (verdict.kind === "refuse") return refused(challenges(verdict.reason, route), form, verdict.dpopNonce)
    const { charge } = verdict
    // How the service behind the proxy answers is not seen here.
    charge?.settle(form === "refusal" ? "returned" : "kept")
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
        ...(charge && rateLimitFields(charge, false)),
        ...(verdict.dpopNonce !== undefined && { [dpopNonceHeader]: verdict.dpopNonce }),
      },
    })
  }
}

/** Of the path as it was sent: were `..` resolved first, its sender would choose the scope. */
function wantedIn(path: string, scopes: ReadonlySet<string>): Wanted | undefined {
  const segment = decoded(path.split("/", 1)[0] ?? "")
  if (scopes.has(segment)) return { scope: segment, cost: 1 }
  const [, scope = "", cost = ""] = /^(.+)@([1-9][0-9]{0,5})$/.exec(segment) ?? []
  return scopes.has(scope) ? { scope, cost: Number(cost) } : undefined
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ""
  }
}

const readRequest = ({ headers, url, method }: Request): Omit<GateRequest, "scope" | "path"> => {
  const [authorization, dpop] = [headers.get("authorization"), headers.get(dpopHeader)]
  return {
    // As it was sent to the proxy; the sample configurations pass it on.
    method,
    // Several fields arrive joined by a comma, which neither a token nor a proof holds.
    dpop: dpop === null ? [] : [dpop],
    authorization: authorization === null ? [] : [authorization],
    payment: headers.has(paymentSignatureHeader) || headers.has(paymentHeaderV1),
    queryToken: new URL(url).searchParams.has("access_token"),
  }
}

/** To nginx without a challenge: it would add that of its 401 to the one of the refusal, and each may be there once. */
const refused = ({ status, headers, body }: PlainAnswer, form: Form, dpopNonce?: string): Response =>
  form === "nginx"
    ? new Response(null, { status: 401, headers: noStore })
    : new Response(body, {
        status,
        headers: { ...headers, ...(dpopNonce !== undefined && { [dpopNonceHeader]: dpopNonce }) },
      })
