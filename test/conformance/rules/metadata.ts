/** How clients find their way: RFC 8414 and RFC 9728. */
import { wellKnown } from "../../../shared/oauth/messages.ts"
import { attributeOf, challengesIn } from "../challenge.ts"
import type { Rule } from "../rule.ts"
import { want, wantSame, wantStatus } from "../want.ts"
import { send } from "../wire.ts"

const isNear = (hostname: string): boolean => /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname)

export const metadataRules: readonly Rule[] = [
  {
    id: "N-8414-1",
    clause: "RFC 8414 §2, §3.3",
    promise: "the metadata names the issuer byte for byte: https, no query, no fragment",
    async check(subject) {
      const { issuer, ...metadata } = await subject.metadata()
      wantSame("issuer", issuer, subject.issuer)
      const { protocol, hostname, search, hash } = new URL(subject.issuer)
      want(protocol === "https:" || isNear(hostname), `found ${protocol}, wanted https:`)
      want(search === "" && hash === "", "issuer: found a query or a fragment")
      for (const name of ["token_endpoint", "jwks_uri"]) {
        const { origin } = new URL(await subject.endpoint(name))
        wantSame(`${name}: origin`, origin, new URL(subject.issuer).origin)
      }
      want(Array.isArray(metadata.response_types_supported), "found no response_types_supported")
    },
  },
  {
    id: "N-8414-2",
    clause: "RFC 8414 §3.1",
    promise: "the well-known segment goes between the host and the issuer's path",
    async check({ issuer }) {
      const { origin, pathname } = new URL(issuer)
      const path = pathname === "/" ? "" : pathname
      const answer = await send(`${origin}/.well-known/oauth-authorization-server${path}`)
      wantStatus(`before ${path || "nothing"}`, answer, 200)
      wantSame("issuer", answer.body.issuer, issuer)
      const beside = await send(`${origin}/.well-known/oauth-authorization-server/elsewhere`)
      want(beside.body.issuer !== issuer, "found the metadata at another issuer's place, too")
    },
  },
  {
    id: "N-9728-1",
    clause: "RFC 9728 §2, §3.3",
    promise: "the resource's metadata names the resource byte for byte, and its issuer",
    async check(subject) {
      const { info } = await subject.board()
      const metadata = await subject.resourceMetadata()
      wantSame("resource", metadata.resource, info.resource)
      const servers = metadata.authorization_servers
      want(
        Array.isArray(servers) && servers.includes(subject.issuer),
        "authorization_servers: found no such issuer",
      )
      wantSame("bearer_methods_supported", metadata.bearer_methods_supported, ["header"])
    },
  },
  {
    id: "N-9728-2",
    clause: "RFC 9728 §5.1",
    promise: "the challenges of 402 and 401 lead to the resource's metadata",
    async check(subject) {
      const wanted = wellKnown((await subject.board()).info.resource, "oauth-protected-resource")
      for (const [status, headers] of [
        [402, []],
        [401, [["authorization", "Bearer a.b.c"]]],
      ] as const) {
        const answer = await subject.atGate(headers)
        wantStatus("the gate", answer, status)
        const [challenge] = challengesIn(answer.fields("www-authenticate"))
        wantSame(`resource_metadata of ${status}`, attributeOf(challenge, "resource_metadata"), wanted)
      }
      wantStatus("the metadata", await send(wanted), 200)
    },
  },
]
