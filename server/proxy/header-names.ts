/** Lists the headers that end at the proxy, in each direction. */
import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { commitmentHeader, replayedHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { tokenHeader } from "../../shared/token-header.ts"
import {
  acceptPaymentHeader,
  paymentHeaderV1,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"

const setOf = (...names: readonly string[]): ReadonlySet<string> =>
  new Set(names.map((name) => name.toLowerCase()))

/** RFC 9110 §7.6.1, and the framing that each connection has of its own. */
export const hopByHop = setOf(
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"],
  ...["http2-settings", "proxy-authorization", "proxy-authenticate", "proxy-authentication-info"],
)

/** The buyer's credentials, and names by which servers let a request claim another origin, path or method. */
const buyersOwn = setOf(
  ...["authorization", "cookie", "cookie2", "sign-in-with-x", "payment-authorization", "expect", "host"],
  ...[tokenHeader, dpopHeader, commitmentHeader, secretHeader, acceptPaymentHeader],
  ...[paymentSignatureHeader, paymentHeaderV1, paymentRequiredHeader, paymentResponseHeader],
  ...["forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip", "true-client-ip"],
  ...["cf-connecting-ip", "fastly-client-ip", "x-original-url", "x-rewrite-url", "x-original-uri"],
  ...["x-original-host", "x-host", "x-http-method", "x-http-method-override", "x-method-override"],
  ...["front-end-https", "x-url-scheme", "x-scheme", "x-accel-internal", "service-worker"],
)

/** Upstreams that read headers as variables take `_` for `-`. */
export const headerKey = (name: string): string => name.toLowerCase().replaceAll("_", "-")

export const isBuyersOwn = (key: string): boolean =>
  buyersOwn.has(key) || hopByHop.has(key) || key.startsWith("x-forwarded") || key.startsWith("ticket402-")

/** Headers by which an upstream would act as the issuer, for its whole origin. */
const issuersOwn = setOf(
  ...["set-cookie", "set-cookie2", "service-worker-allowed", "clear-site-data", "alt-svc", "refresh"],
  ...["strict-transport-security", "report-to", "reporting-endpoints", "nel", "public-key-pins", "expect-ct"],
  ...["content-security-policy-report-only", "origin-agent-cluster", "www-authenticate"],
  ...[
    "authentication-info",
    "sourcemap",
    "x-sourcemap",
    "speculation-rules",
    "ratelimit",
    "ratelimit-policy",
  ],
  ...[paymentRequiredHeader, paymentResponseHeader, paymentResponseHeaderV1, tokenHeader, dpopNonceHeader],
  ...[replayedHeader, "x-accel-redirect", "x-sendfile"],
)

export const isIssuersOwn = (name: string): boolean =>
  issuersOwn.has(name) ||
  hopByHop.has(name) ||
  name.startsWith("access-control-") ||
  name.startsWith("ticket402-")
