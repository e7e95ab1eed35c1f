/** `revoke`: takes grants back, one or many, while the service runs on the same store. */
import { parseAddress } from "../../shared/values/evm.ts"
import { ConfigError } from "../config/config.ts"
import { clientIdPattern } from "../core/whitelist.ts"
import type { RevocationTarget } from "../ports/records.ts"
import { type CommandIo, nowSeconds, onStore, printJson } from "./with-store.ts"

export type RevokeOptions = {
  readonly config: string
  /** An access or refresh token; its grant ends. */
  readonly token?: string
  readonly grant?: string
  readonly payer?: string
  readonly client?: string
  readonly offer?: string
  readonly issuedBefore?: string
  readonly reason?: string
}

/** Resolves with the exit code. Every running process refuses the revoked tokens within 5 s. */
export const revoke = (options: RevokeOptions, io: CommandIo): Promise<number> =>
  onStore(options.config, io, () => {
    const now = nowSeconds()
    const [target, note] = [readTarget(options, now), readNote(options.reason)]
    return async (store) => {
      const { revoked } = await store.revoke({ target, by: "operator", note, now })
      if (revoked === 0) io.warn("nothing changed: no such grant lives")
      printJson(io, { revoked })
    }
  })

const selectors = ["token", "grant", "payer", "client", "offer"] as const

function readTarget(options: RevokeOptions, now: number): RevocationTarget {
  const given = selectors.filter((each) => options[each] !== undefined)
  const [selector, ...more] = given
  const single = selector === "token" || selector === "grant"
  if (more.length > 0 || (!selector && options.issuedBefore === undefined))
    throw wrong(`found ${given.length} of --${selectors.join(", --")}, wanted one, or --issued-before`)
  if (single && options.issuedBefore !== undefined)
    throw wrong(`--issued-before: found with --${selector}, which is one grant already`)
  // Grants of this second count as bought before the command.
  const before = options.issuedBefore === undefined ? now + 1 : readInstant(options.issuedBefore, now)
  switch (selector) {
    case "token":
      return { kind: "grant", grantId: grantIn(options.token ?? "") }
    case "grant":
      return { kind: "grant", grantId: requireGrantId("grant", options.grant ?? "") }
    case "payer": {
      const id = parseAddress(options.payer ?? "")
      if (!id) throw wrong("--payer: wanted an address of 20 bytes in hex with a right checksum")
      return { kind: "subject", id, before }
    }
    case "client": {
      const id = options.client ?? ""
      if (!clientIdPattern.test(id)) throw wrong("--client: wanted a client id")
      return { kind: "subject", id, before }
    }
    case "offer": {
      const offer = options.offer ?? ""
      if (!/^[A-Za-z0-9_-]{1,64}(?:@[0-9a-f]{8})?$/.test(offer))
        throw wrong('--offer: wanted the id of an offer, or its reference such as "hour@9f3c2a71"')
      return { kind: "rule", offer, before }
    }
    default:
      return { kind: "rule", offer: null, before }
  }
}

/**
 * Reads the grant that a token names, without a key: the operator may end any grant, so the signature does not matter.
 * The named grant must exist.
 */
function grantIn(token: string): string {
  const [first = "", payload, signature] = token.split(".")
  if (signature === undefined)
    return requireGrantId("token", Buffer.from(first, "base64url").subarray(0, 16).toString("base64url"))
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload ?? "", "base64url").toString("utf8"))
    const grant = typeof claims === "object" && claims !== null && "grant" in claims ? claims.grant : ""
    return requireGrantId("token", String(grant))
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw wrong("--token: wanted an access token or a refresh token of this service")
  }
}

function requireGrantId(option: string, id: string): string {
  if (!/^[A-Za-z0-9_-]{22}$/.test(id))
    throw wrong(
      `--${option}: wanted ${option === "grant" ? "the id of a grant" : "an access token or a refresh token of this service"}`,
    )
  return id
}

/** Epoch seconds or ISO 8601 with a time zone; of the past, because a rule must not wait for grants still to be sold. */
function readInstant(text: string, now: number): number {
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const at = /^\d{1,12}$/.test(text) ? Number(text) : iso ? Math.floor(Date.parse(text) / 1000) : Number.NaN
  if (!Number.isSafeInteger(at) || at > now + 1)
    throw wrong(
      '--issued-before: wanted seconds since the epoch, or a time such as "2026-11-21T09:00:00Z", that is past',
    )
  return at
}

function readNote(text: string | undefined): string | null {
  if (text === undefined) return null
  if (!/^[^\p{C}]{1,200}$/u.test(text)) throw wrong("--reason: wanted 1 to 200 printable characters")
  return text
}

const wrong = (problem: string): ConfigError => new ConfigError([problem])
