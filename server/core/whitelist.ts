/** Decides about the whitelist: its entries, their changes, and the ledger entries of a change. */

export type WhitelistMember = {
  /** A lower-case address, or a client id; neither can look like the other, and no client id like a CAIP-10 account. */
  readonly id: string
  /** SHA-256 (hex) of the client's secret; null for an address, which signs instead. */
  readonly secretSha256: string | null
  readonly scope: string
}

/** The author of a change: the configuration at a start, or the command at run time. */
export type WhitelistAuthor = "configuration" | "command"

export type WhitelistEntry = WhitelistMember & {
  readonly by: WhitelistAuthor
  /** Seconds; tokens from before it are invalid, so that no token revives with a returning entry. */
  readonly listedAt: number
}

/** An entry as the store keeps it: one that was removed is remembered, so that no restart brings it back. */
export type WhitelistRow = WhitelistEntry & { readonly removedAt: number | null }

export type WhitelistChange = {
  readonly row: WhitelistRow
  /** Null when the row only changes hands. */
  readonly entry: "whitelist_added" | "whitelist_removed" | null
}

/** Client ids: no `:`, which every CAIP-10 account has, and a letter first, which no address has. */
export const clientIdPattern = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/

/** The id under which the subject of a grant would be listed: an account's address on whatever network, or a client id. */
export const memberOf = (subject: string): string => subject.slice(subject.lastIndexOf(":") + 1)

/** Checks whether an entry covers a token that was issued at that time without a payment. */
export const standsFor = (
  entry: (WhitelistEntry & { readonly removedAt?: number | null }) | null | undefined,
  issuedAt: number,
): boolean => !!entry && (entry.removedAt ?? null) === null && entry.listedAt <= issuedAt

/** Whether every word of `wanted` is among those of `granted`. */
export const includesScope = (granted: string, wanted: string): boolean => {
  const held = new Set(granted.split(" "))
  return wanted.split(" ").every((word) => held.has(word))
}

/** Puts a member on the list; undefined when nothing changes. */
export function listed(
  before: WhitelistRow | null,
  member: WhitelistMember,
  by: WhitelistAuthor,
  now: number,
): WhitelistChange | undefined {
  const stands = before?.removedAt === null && before.secretSha256 === member.secretSha256
  const row = { ...member, by, listedAt: stands ? before.listedAt : now, removedAt: null }
  if (!stands || before.scope !== member.scope) return { row, entry: "whitelist_added" }
  return before.by === by ? undefined : { row, entry: null }
}

/** Takes an entry off the list; undefined when it is not on it. */
export function removed(
  before: WhitelistRow | null,
  by: WhitelistAuthor,
  now: number,
): WhitelistChange | undefined {
  if (before?.removedAt !== null) return undefined
  return { row: { ...before, by, removedAt: now }, entry: "whitelist_removed" }
}

/**
 * Computes the changes of a start: it lists the members of the configuration, and removes former ones. A removal by
 * command overrides the configuration until a command adds the entry again; such members are held back.
 */
export function published(
  rows: readonly WhitelistRow[],
  members: readonly WhitelistMember[],
  now: number,
): { readonly changes: readonly WhitelistChange[]; readonly heldBack: readonly string[] } {
  const before = new Map(rows.map((row) => [row.id, row]))
  const configured = new Set(members.map((member) => member.id))
  const isHeldBack = ({ id }: WhitelistMember): boolean => {
    const row = before.get(id)
    return row !== undefined && row.removedAt !== null && row.by === "command"
  }
  const dropped = rows
    .filter((row) => row.by === "configuration" && !configured.has(row.id))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  return {
    changes: [
      ...dropped.flatMap((row) => removed(row, "configuration", now) ?? []),
      ...members
        .filter((member) => !isHeldBack(member))
        .flatMap((member) => listed(before.get(member.id) ?? null, member, "configuration", now) ?? []),
    ],
    heldBack: members.filter(isHeldBack).map((member) => member.id),
  }
}
