/** Request rates by key (a peer, a payer), in memory that does not grow with the number of keys. */
import { createHmac, randomBytes } from "node:crypto"
import { isIPv6 } from "node:net"
import { RateLimiterMemory } from "rate-limiter-flexible"
import { Refusal, refusals } from "../../shared/refusals.ts"
import type { Rate } from "../ports/runtime.ts"

/** The window equals the time that a refused caller must wait. */
const rateWindowSeconds = refusals.rate_limited.retryAfterSeconds

/**
 * Keys are counted by hash in this many buckets (at most about 10 MB). A map of keys would grow with every address that
 * an attacker invents, and a map that drops the oldest lets an attacker push out its own count. Callers that share a
 * bucket share its budget; the salt prevents an attacker from choosing one.
 */
const buckets = 2 ** 16

export function createRate(requests: number, windowSeconds: number = rateWindowSeconds): Rate {
  const limiter = new RateLimiterMemory({ points: requests, duration: windowSeconds })
  const salt = randomBytes(16)
  const bucketOf = (key: string): string =>
    String(createHmac("sha256", salt).update(key).digest().readUInt32BE() % buckets)

  return {
    async take(key) {
      const spent = await limiter.penalty(bucketOf(key))
      if (spent.consumedPoints > requests) throw new Refusal("rate_limited")
    },
    async check(key) {
      const spent = await limiter.get(bucketOf(key))
      if (spent !== null && spent.consumedPoints >= requests) throw new Refusal("rate_limited")
    },
  }
}

/** A peer as it is counted: an IPv6 host commands at least its /64, so the rest of its address says nothing. */
export function peerKey(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  return isIPv6(address) ? network64(address) : address
}

function network64(address: string): string {
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::")
  const front = head === "" ? [] : head.split(":")
  // A dotted quad at the end equals two groups.
  const back = tail === undefined || tail === "" ? [] : tail.replace(/[0-9.]+\.[0-9.]+$/, "0:0").split(":")
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`
}
