/** Reads the `whitelist` of a configuration strictly, because a slip would admit strangers. */
import { z } from "zod"
import { parseAddress, sha256, stringToBytes, zeroAddress } from "../../shared/values/evm.ts"
import { scopeSchema } from "../core/claims.ts"
import { clientIdPattern, type WhitelistMember } from "../core/whitelist.ts"

/** As a person writes it; also names the keys for the hint at a misspelt one. */
export const memberShape = z.strictObject({
  address: z.string().optional(),
  clientId: z.string().optional(),
  secretSha256: z.string().optional(),
  scope: scopeSchema,
})

type RawMember = z.output<typeof memberShape>
type Problem = { readonly key: keyof RawMember; readonly message: string }

/** Secrets that are guessed first; with them, the client's own id. */
const guesses = ["", "secret", "password", "changeme", "admin", "test", "demo", "123456", "client_secret"]

const sha256Of = (text: string): string => sha256(stringToBytes(text)).slice(2)

/** One entry: an address, or a client id with the hash of its secret. */
export const memberSchema = memberShape
  .superRefine((raw, context) => {
    for (const { key, message } of problemsOf(raw))
      context.addIssue({ code: "custom", path: [key], message, input: raw[key] })
  })
  .transform(memberFrom)

/** A client with access to something else than the resource; read as strictly. */
export const clientSchema = z
  .strictObject({ clientId: z.string(), secretSha256: z.string() })
  .superRefine((raw, context) => {
    for (const { key, message } of problemsOf({ ...raw, scope: "" }))
      context.addIssue({ code: "custom", path: [key], message, input: raw })
  })

export const whitelistSchema = z
  .array(memberSchema)
  .max(1000)
  .superRefine((members, context) => {
    const refuse = (index: number, key: string, message: string) =>
      context.addIssue({ code: "custom", path: [index, key], message, input: members })
    for (const [index, { id, secretSha256 }] of members.entries()) {
      const before = members.slice(0, index)
      const key = secretSha256 === null ? "address" : "clientId"
      if (before.some((other) => other.id === id)) refuse(index, key, "wanted each caller once")
      else if (secretSha256 !== null && before.some((other) => other.secretSha256 === secretSha256))
        refuse(index, "secretSha256", "wanted a secret of its own for each client")
    }
  })

function problemsOf(raw: RawMember): readonly Problem[] {
  const { address, clientId, secretSha256 } = raw
  if ((address === undefined) === (clientId === undefined))
    return [{ key: "address", message: "wanted either an address or a clientId" }]
  if (address !== undefined) {
    const read = parseAddress(address)
    return [
      ...problem("address", !read, "wanted an address of 20 bytes in hex with a right checksum"),
      ...problem("address", read === zeroAddress, "wanted the address of somebody"),
      ...problem("secretSha256", secretSha256 !== undefined, "wanted none: an address signs"),
    ]
  }
  const weak = [...guesses, clientId ?? ""].some((guess) => sha256Of(guess) === secretSha256)
  return [
    ...problem(
      "clientId",
      !clientIdPattern.test(clientId ?? ""),
      "wanted a letter, and up to 63 letters, digits, dots, - and _ after it",
    ),
    ...problem(
      "secretSha256",
      !/^[0-9a-f]{64}$/.test(secretSha256 ?? ""),
      "wanted the SHA-256 of the secret, 64 hex digits in lower case",
    ),
    ...problem(
      "secretSha256",
      weak || /^(.)\1*$/.test(secretSha256 ?? ""),
      "wanted the hash of a long random secret",
    ),
  ]
}

const problem = (key: Problem["key"], holds: boolean, message: string): readonly Problem[] =>
  holds ? [{ key, message }] : []

/** Of an entry without problems. */
function memberFrom({ address, clientId, secretSha256, scope }: RawMember): WhitelistMember {
  return address === undefined
    ? { id: clientId ?? "", secretSha256: secretSha256 ?? "", scope }
    : { id: parseAddress(address) ?? zeroAddress, secretSha256: null, scope }
}
