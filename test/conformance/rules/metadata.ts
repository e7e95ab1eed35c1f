/** Rules of RFC 8414 and RFC 9728: the metadata of the issuer and of the resource. */
import { wellKnown } from "../../../shared/oauth/messages.ts"
import { attributeOf, challengesIn } from "../challenge.ts"
import { send } from "../http.ts"
import { requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"

const isLocal = (hostname: string): boolean => /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname)

export const metadataRules: readonly Rule[] = [
  {
    id: "N-8414-1",
    clause: "RFC 8414 §2, §3.3",
    promise: "the metadata names the issuer byte for byte: https, no query, no fragment",
    async check(subject) {
      const { issuer, ...metadata } = await subject.metadata()
      requireEqual("issuer", issuer, subject.issuer)
      const { protocol, hostname, search, hash } = new URL(subject.issuer)
      requireThat(protocol === "https:" || isLocal(hostname), `found ${protocol}, wanted https:`)
      requireThat(search === "" && hash === "", "issuer: found a query or a fragment")
      for (const name of ["token_endpoint", "jwks_uri"]) {
        const { origin } = new URL(await subject.endpoint(name))
        requireEqual(`${name}: origin`, origin, new URL(subject.issuer).origin)
      }
      requireThat(Array.isArray(metadata.response_types_supported), "found no response_types_supported")
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
      requireStatus(`before ${path || "nothing"}`, answer, 200)
      requireEqual("issuer", answer.body.issuer, issuer)
      const beside = await send(`${origin}/.well-known/oauth-authorization-server/elsewhere`)
      requireThat(beside.body.issuer !== issuer, "found the metadata at another issuer's path, too")
    },
  },
  {
    id: "N-9728-1",
    clause: "RFC 9728 §2, §3.3",
    promise: "the resource's metadata names the resource byte for byte, and its issuer",
    async check(subject) {
      const { info } = await subject.readOffers()
      const metadata = await subject.resourceMetadata()
      requireEqual("resource", metadata.resource, info.resource)
      const servers = metadata.authorization_servers
      requireThat(
        Array.isArray(servers) && servers.includes(subject.issuer),
        "authorization_servers: found no entry for the issuer",
      )
      requireEqual("bearer_methods_supported", metadata.bearer_methods_supported, ["header"])
    },
  },
  {
    id: "N-9728-2",
    clause: "RFC 9728 §5.1",
    promise: "the challenges of 402 and 401 name the resource's metadata",
    async check(subject) {
      const metadataUrl = wellKnown((await subject.readOffers()).info.resource, "oauth-protected-resource")
      for (const [status, headers] of [
        [402, []],
        [401, [["authorization", "Bearer a.b.c"]]],
      ] as const) {
        const answer = await subject.atGate(headers)
        requireStatus("the gate", answer, status)
        const [challenge] = challengesIn(answer.fields("www-authenticate"))
        requireEqual(
          `resource_metadata of ${status}`,
          attributeOf(challenge, "resource_metadata"),
          metadataUrl,
        )
      }
      requireStatus("the metadata", await send(metadataUrl), 200)
    },
  },
]
