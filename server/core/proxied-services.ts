/** Describes the proxied services of a configuration in their canonical form. */

/** Methods that a proxied route may name. HEAD goes with GET; OPTIONS and TRACE are never forwarded. */
export const proxiedMethods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const
export type ProxiedMethod = (typeof proxiedMethods)[number]

/** The price of a route as the gate reads it. */
export type RoutePrice = {
  readonly scope: string
  /** Units that a call costs where the grant counts them. */
  readonly cost: number
  /** The route itself takes payments, whatever `payAtRoutes` says. */
  readonly takesPayments: boolean
}

export type ProxiedRoute = {
  /** As the configuration spells it, such as `GET /v1/forecast/:city`. */
  readonly name: string
  /** Undefined where every method of {@link proxiedMethods} matches. */
  readonly method: ProxiedMethod | undefined
  /** Below the service, such as `/v1/forecast/:city`. */
  readonly pattern: string
  readonly description: string | undefined
  /** Null for a free route. */
  readonly price: RoutePrice | null
}

/** Where a secret is read at the start. */
export type SecretSource = { readonly file: string } | { readonly env: string }

export type ProxiedService = {
  readonly name: string
  readonly title: string | undefined
  readonly description: string | undefined
  readonly docs: string | undefined
  /** The upstream, without a slash at the end. */
  readonly baseUrl: string
  readonly bearer: SecretSource | undefined
  readonly headers: Readonly<Record<string, SecretSource>>
  /** In the order of the configuration: the first that matches decides. */
  readonly routes: readonly ProxiedRoute[]
  readonly allowPrivate: boolean
  readonly browser: boolean
  /** Until the head of the upstream's answer. */
  readonly timeoutSeconds: number
  /** Between two pieces of the upstream's answer. */
  readonly idleSeconds: number
  readonly maxBodyBytes: number
  readonly freeRequestsPerMinute: number
}
