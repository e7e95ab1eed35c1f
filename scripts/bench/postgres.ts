/** Measures durable redemptions on PostgreSQL against pgbench with the same rows and indexes, in turn. */
import { execFile, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { openStore } from "../../server/stores/index.ts"
import { orderOf } from "../../test/support/orders.ts"
import { startPostgres } from "../../test/support/postgres/server.ts"
import { type Spread, showSpread, spreadOf } from "./figures.ts"

export type PostgresFigures = {
  /** Redemptions at once; 8 sessions of pgbench. */
  readonly atOnce: number
  readonly redemptionsPerSecond: Spread
  /** Null without pgbench. */
  readonly pgbenchPerSecond: Spread | null
  readonly ratio: Spread | null
}

const pairs = 5
const atOnce = 512
const sessions = 8

export async function measurePostgres(seconds: number): Promise<PostgresFigures> {
  const server = await startPostgres()
  const hasPgbench = spawnSync("pgbench", ["--version"]).status === 0
  try {
    await server.run("CREATE DATABASE sold")
    const store = await openStore(server.url("sold"))
    await server.run("CREATE DATABASE compared")
    await (await openStore(server.url("compared"))).close()
    const sales: number[] = []
    const rivals: number[] = []
    await sell(store, seconds / 2)
    for (let pair = 0; pair < pairs; pair++) {
      sales.push(await sell(store, seconds))
      if (hasPgbench) rivals.push(await runPgbench(server.url("compared"), seconds))
    }
    await store.close()
    return {
      atOnce,
      redemptionsPerSecond: spreadOf(sales),
      pgbenchPerSecond: hasPgbench ? spreadOf(rivals) : null,
      ratio: hasPgbench ? spreadOf(sales.map((rate, at) => rate / (rivals[at] ?? Number.NaN))) : null,
    }
  } finally {
    await server.stop()
  }
}

export const showPostgres = ({
  atOnce: buyers,
  redemptionsPerSecond,
  ...rest
}: PostgresFigures): string[] => [
  `PostgreSQL: ${showSpread(redemptionsPerSecond, 0)} durable redemptions per s, ${buyers} at once`,
  rest.ratio && rest.pgbenchPerSecond
    ? `  ${showSpread(rest.ratio)} of pgbench -c ${sessions} with the same rows and indexes: ${showSpread(rest.pgbenchPerSecond, 0)} per s`
    : "  not compared: pgbench is missing; scripts/system-packages.sh installs it",
]

/** Buyers that post the next payment once the last is redeemed. */
async function sell(store: Awaited<ReturnType<typeof openStore>>, seconds: number): Promise<number> {
  const limits = { queue: 10 ** 9 }
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  let sold = 0
  const buy = async () => {
    while (performance.now() < until) {
      const { kind } = await store.redeem(orderOf({ limits }))
      if (kind !== "redeemed") throw new Error(`found ${kind}, wanted redeemed`)
      sold++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, buy))
  return (sold * 1000) / (performance.now() - startedAt)
}

/** The rows of a redemption as they are in the books, with keys that the server makes; no row is shared by all. */
const transaction = `
\\set n random(1, 1000000000)
BEGIN;
INSERT INTO grants (id, offer, scope, subject, paid, starts_at, expires_at, opening, generation, token_jti, token_issued_at,
    token_expires_at, token_settled)
  VALUES (md5(:n::bigint || 'client_id'), 'hour@00000000', 'movies read', 'eip155 84532 0x' || md5(:n::bigint::text), 1, 1700000000,
    1700003600, md5(random()::text), 0, md5(random()::text), 1700000000, 1700000060, 0);
INSERT INTO redemptions (key, grant_id, network, scheme, asset, payer, pay_to, value, valid_after, valid_before, nonce,
    signature, nominal, policy, state, from_block, accepted_at, due_at, attempts, stands)
  VALUES ('exact 84532 ' || md5(:n::bigint || 'client_id'), md5(:n::bigint || 'client_id'), 'eip155 84532', 'exact',
    '0x' || repeat('aa', 20), '0x' || left(md5(:n::bigint::text) || md5(:n::bigint || 'p'), 40), '0x' || repeat('bb', 20), '10000', '0',
    '1800000000', '0x' || md5(:n::bigint || 'a') || md5(:n::bigint || 'b'), '0x' || repeat('cd', 65), '10000', 'background', 'accepted', 1,
    1700000000, 0, 0, 1);
INSERT INTO payers (address, unsettled, open, settled, failed)
  VALUES ('0x' || left(md5(:n::bigint::text) || md5(:n::bigint || 'p'), 40), '10000', 1, 0, 0)
  ON CONFLICT (address) DO UPDATE SET open = payers.open + 1;
INSERT INTO entries (at, kind, grant_id, redemption_key, facts)
  VALUES (1700000000, 'redeemed', md5(:n::bigint || 'client_id'), 'exact 84532 ' || md5(:n::bigint || 'client_id'),
    '{"value":"10000","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","payer":"0x00000000000000000000000000000000"}');
COMMIT;
`

async function runPgbench(url: string, seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "pgbench-"))
  const file = join(folder, "redemption.sql")
  // Another prefix in each slice, so that keys of two slices differ.
  const prefix = randomBytes(4).toString("hex")
  writeFileSync(file, transaction.replaceAll("client_id", prefix))
  const { hostname, port, password, pathname } = new URL(url)
  const load = [
    "-n",
    "-M",
    "prepared",
    "-c",
    `${sessions}`,
    "-j",
    "2",
    "-T",
    `${Math.max(1, Math.round(seconds))}`,
  ]
  try {
    const { stdout } = await promisify(execFile)(
      "pgbench",
      [...load, "-f", file, "-h", hostname, "-p", port, "-U", "postgres", pathname.slice(1)],
      { env: { ...process.env, PGPASSWORD: password } },
    )
    const [, rate] = /^tps = ([\d.]+)/m.exec(stdout) ?? []
    if (rate === undefined) throw new Error(`pgbench printed no rate: ${stdout}`)
    return Number(rate)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
