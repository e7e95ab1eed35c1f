/** A remote signer: the key stays with a service that signs EIP-712 data, asked over HTTP. */

import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import type { Address } from "../../shared/values/evm.ts"
import type { Fetch } from "../core/call.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { insecure, isPrivateEnough, parseUrl } from "../core/origins.ts"
import { discard, readJson } from "../wire/bodies.ts"
import { plainFetch } from "../wire/global-fetch.ts"
import { adaptToHost } from "../wire/host.ts"
import { timeoutSignal } from "../wire/timeout.ts"
import { signerOver } from "./provider-signer.ts"

const maxBytes = 65_536

export type RemoteSignerOptions = {
  /** Takes `eth_signTypedData_v4` as JSON-RPC 2.0; https, or http on this machine. */
  readonly url: string
  /** Of the account that signs. */
  readonly address: Address
  /** Credentials for the signer, such as `authorization`; no other URL receives them. */
  readonly headers?: Readonly<Record<string, string>>
  /** For one signature; 30,000 by default. */
  readonly timeoutMs?: number
  readonly fetch?: Fetch
}

/**
 * Throws a {@link Ticket402Error} `option_invalid` or `insecure_url`. Signing throws `signing_failed`, with the `reason`
 * `signer_unreachable`, `signer_refused` or `signer_malformed`.
 */
export function createRemoteSigner(options: RemoteSignerOptions): TypedDataSigner {
  requireKnown(options, { url: true, address: true, headers: true, timeoutMs: true, fetch: true })
  const { address, headers = {}, timeoutMs = 30_000 } = options
  const send = adaptToHost(options.fetch ?? plainFetch)
  const url = parseUrl(options.url)
  if (url?.username !== "" || url.password !== "")
    throw new Ticket402Error("option_invalid", "The option url is wrong.", { wanted: "the URL of a signer" })
  if (!isPrivateEnough(url, false)) throw insecure(url)

  return signerOver(async (method, params) => {
    const response = await post(url, { jsonrpc: "2.0", id: 1, method, params }).catch(() => {
      throw failed("signer_unreachable", "The signer gave no answer.")
    })
    if (response.status !== 200) {
      discard(response)
      throw failed("signer_refused", "The signer did not sign.", `status ${response.status}`)
    }
    const answer = resultOf(await readJson(response, maxBytes).catch(() => undefined))
    if (!answer) throw failed("signer_malformed", "The signer's answer is not readable.")
    if ("error" in answer) throw failed("signer_refused", "The signer did not sign.")
    return answer.result
  }, address)

  function post(to: URL, body: unknown): Promise<Response> {
    return send(to, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      // A redirect would carry the credentials elsewhere.
      redirect: "manual",
      credentials: "omit",
      cache: "no-store",
      signal: timeoutSignal(timeoutMs),
    })
  }
}

function resultOf(answer: unknown): { readonly result?: unknown; readonly error?: unknown } | undefined {
  return typeof answer === "object" && answer !== null ? answer : undefined
}

const failed = (reason: string, sentence: string, found?: string): Ticket402Error =>
  new Ticket402Error("signing_failed", sentence, {
    action: reason === "signer_unreachable" ? "retry" : "stop",
    reason,
    ...(found !== undefined && { found }),
  })
