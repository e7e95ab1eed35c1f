/** Reads `admin`: the address for operators, and the tokens that open it. */
import { z } from "zod"
import { adminRoles } from "../core/admin-roles.ts"
import { isLoopback } from "../core/loopback.ts"
import { WrongValue } from "./values.ts"

export const adminTokenSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "wanted letters, digits, - and _"),
  file: z.string().min(1),
  role: z.enum(adminRoles),
})

export type AdminTokenFile = z.output<typeof adminTokenSchema>

/** A `Host` value in the spelling of browsers: lower case, with the port unless it is the scheme's own. */
const hostPattern = /^(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/

export const adminHostSchema = z.string().regex(hostPattern, 'wanted a host such as "books.example.com:8403"')

type RawAdmin = { readonly listen?: string | undefined; readonly tokens: readonly AdminTokenFile[] }

/** Without TLS a token is readable on the way, so plain http stays on this machine unless the operator says otherwise. */
export function requireAdmin({ listen, tokens }: RawAdmin, allowInsecureHttp: boolean): void {
  for (const member of ["name", "file"] as const) {
    const values = tokens.map((token) => token[member])
    const twice = values.find((value, index) => values.indexOf(value) !== index)
    if (twice !== undefined)
      throw new WrongValue(
        `found the ${member} ${JSON.stringify(twice)} of two tokens, wanted one of its own for each`,
      )
  }
  if (listen === undefined) return
  if (tokens.length === 0) throw new WrongValue("found listen without tokens, wanted at least one token")
  const host = listen.replace(/:[0-9]+$/, "")
  if (!allowInsecureHttp && !isLoopback(host))
    throw new WrongValue(`found http on ${host}, wanted a loopback address (or "allowInsecureHttp": true)`)
}
