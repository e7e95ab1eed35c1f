/** Serves `POST /introspect` and `POST /revoke`. */
import type { Introspection } from "../access/introspection.ts"
import type { Revocation } from "../access/revocation.ts"
import type { Rate } from "../ports/runtime.ts"
import { peerKey } from "./rate.ts"
import { readParameters } from "./read-body.ts"
import { json, noStore } from "./respond.ts"
import type { Handler } from "./router.ts"

type Reading = { readonly peers: Rate; readonly bodySeconds: number | undefined }

/** Counts the request and reads it. Both endpoints accept the bodies that the token endpoint accepts. */
const reader =
  ({ peers, bodySeconds }: Reading) =>
  async (request: Request, peer: string) => {
    await peers.take(peerKey(peer))
    return {
      authorization: request.headers.get("authorization") ?? undefined,
      parameters: await readParameters(request, bodySeconds),
    }
  }

export function createIntrospectionHandler(introspect: Introspection, reading: Reading): Handler {
  const read = reader(reading)
  return async (request, { peer }) => json(200, await introspect(await read(request, peer)))
}

export function createRevocationHandler(revoke: Revocation, reading: Reading): Handler {
  const read = reader(reading)
  return async (request, { peer }) => {
    await revoke(await read(request, peer))
    return new Response(null, { status: 200, headers: noStore })
  }
}
